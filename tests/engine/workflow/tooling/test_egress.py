import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from engine.config.tools import Http
from engine.workflow.failure import ToolError
from engine.workflow.tooling.builtin.egress import Egress, Resolver, is_public
from engine.workflow.tooling.builtin.web import Web


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_everyones_is_not_public(address):
    assert not is_public(ipaddress.ip_address(address))
    assert not Egress(Http(hosts=("*.example.org",))).reaches(address)
    assert Egress(Http(hosts=(address,))).reaches(address)


@given(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fd00::/8"))
def test_no_private_address_is_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_an_address_of_the_open_internet_is_public(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://docs.example.org/",
        "file:///etc/passwd",
        "gopher://docs.example.org/",
        "http:///nohost",
        "https://other.org/",
        "https://docs.example.org.evil.net/",
        "https://evildocs.example.org/",
        "https://user@docs.example.org/",
        "https://user:pw@docs.example.org/",
        "https://docs.example.org@evil.net/",
        "https://docs.example.org:8443/",
        "https://wiki.example.com.evil.net/",
        "https://example.com/",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://8.8.8.8/",
        "http://localhost/",
        "http://\u2460\u2461\u2466.0.0.1/",
    ],
)
async def test_a_url_that_is_not_listed_is_refused_before_a_connection(url):
    http = Http(hosts=("docs.example.org", "*.example.com"))

    async with Web(http) as web:
        with pytest.raises(ToolError) as refused:
            await web.ask("GET", url)

    assert refused.value.code in ("tool_forbidden", "tool_arguments")


@pytest.mark.parametrize(
    "url",
    [
        "https://docs.example.org/x?y#z",
        "http://DOCS.EXAMPLE.ORG./",
        "https://wiki.example.com/",
        "https://a.b.example.com:443/",
    ],
)
def test_a_listed_url_is_admitted(url):
    Egress(Http(hosts=("docs.example.org", "*.example.com"))).admit(URL(url))


async def test_one_forbidden_address_spoils_a_name():
    addresses = await Resolver(Egress(Http(hosts=("127.0.0.0/8", "::1")))).resolve("localhost")
    assert addresses

    with pytest.raises(ToolError):
        await Resolver(Egress(Http(hosts=("8.8.8.8",)))).resolve("localhost")
