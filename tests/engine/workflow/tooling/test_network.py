import asyncio
import gzip
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web as server
from yarl import URL

from engine.config.tools import Http, Key, Search
from engine.errors import ConfigError
from engine.workflow.failure import ToolError
from engine.workflow.tooling.builtin.network import call_api, fetch_page, web_search
from engine.workflow.tooling.builtin.web import Web, redirected
from engine.workflow.tooling.parts import Parts
from tests.engine.workflow.tooling.belts import a_belt, a_run, call, texts

HERE = ("127.0.0.1", "localhost")


@asynccontextmanager
async def a_host(**routes):
    """A real server on loopback; a route is an async function or a fixed response."""
    app = server.Application()
    for name, answer in routes.items():
        app.router.add_route("*", f"/{name}", answer)
    runner = server.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = server.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def always(**response):
    async def answer(request):
        return server.Response(**response)

    return answer


def an_http(port, hosts=HERE, **settings):
    return Http(hosts=hosts, ports=(port,), **settings)


async def refusal(http, url, method="GET"):
    async with Web(http) as web:
        with pytest.raises(ToolError) as refused:
            await web.ask(method, url)
    return refused.value


async def test_a_listed_name_that_leads_inside_is_refused():
    async with a_host(page=always(text="secret")) as port:
        error = await refusal(an_http(port, ("localhost",)), f"http://localhost:{port}/page")

    assert str(error) == "localhost leads to an address that is not public"


async def test_a_listed_name_that_leads_to_a_listed_address_is_reached():
    hosts = ("localhost", "127.0.0.0/8", "::1")
    async with a_host(page=always(text="hello")) as port, Web(an_http(port, hosts)) as web:
        page = await web.ask("GET", f"http://localhost:{port}/page")

    assert (page.text, page.status, page.cut) == ("hello", 200, False)


@pytest.mark.parametrize(
    "there",
    ["http://169.254.169.254/", "file:///etc/passwd", "http://127.0.0.1:1/", "//evil.example/"],
)
async def test_a_redirect_is_checked_like_the_first_address(there):
    async with a_host(go=always(status=302, headers={"Location": there})) as port:
        error = await refusal(an_http(port), f"http://127.0.0.1:{port}/go")

    assert error.code == "tool_forbidden"


async def test_a_redirect_to_an_allowed_address_is_followed_but_not_for_ever():
    round_ = always(status=307, headers={"Location": "/round"})
    async with a_host(
        go=always(status=301, headers={"Location": "page"}), page=always(text="here"), round=round_
    ) as port:
        async with Web(an_http(port)) as web:
            page = await web.ask("GET", f"http://127.0.0.1:{port}/go")
        error = await refusal(an_http(port), f"http://127.0.0.1:{port}/round")

    assert page.text == "here"
    assert str(error) == "more than 5 redirects"


def test_a_redirect_never_leads_out_of_https():
    here = URL("https://docs.example.org/a/b")

    assert redirected("GET", here, "../c") == URL("https://docs.example.org/c")
    with pytest.raises(ToolError, match="from https to http"):
        redirected("GET", here, "http://docs.example.org/")


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    async with a_host(page=always(text="here")) as port, Web(an_http(port)) as web:
        assert (await web.ask("GET", f"http://127.0.0.1:{port}/page")).text == "here"


async def test_a_change_follows_no_redirect():
    async with a_host(go=always(status=307, headers={"Location": "/page"})) as port:
        error = await refusal(an_http(port), f"http://127.0.0.1:{port}/go", "POST")

    assert "a POST follows nobody" in str(error)


async def test_a_body_is_read_up_to_the_cap_also_when_it_is_packed():
    packed = gzip.compress(b"x" * 5_000_000)
    bomb = always(body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "text/plain"})
    async with a_host(bomb=bomb) as port, Web(an_http(port, max_bytes=1_000)) as web:
        page = await web.ask("GET", f"http://127.0.0.1:{port}/bomb")

    assert (len(page.text), page.cut) == (1_000, True)


async def test_what_is_no_text_is_refused():
    image = always(body=b"\x89PNG", content_type="image/png")
    async with a_host(image=image) as port:
        error = await refusal(an_http(port), f"http://127.0.0.1:{port}/image")

    assert "sent image/png" in str(error)


async def test_an_odd_charset_is_read_as_utf_8():
    odd = always(body="grün".encode(), headers={"Content-Type": "text/plain; charset=nonsense"})
    async with a_host(odd=odd) as port, Web(an_http(port)) as web:
        page = await web.ask("GET", f"http://127.0.0.1:{port}/odd")

    assert page.text == "grün"


async def test_a_slow_host_is_given_up():
    async def slow(request):
        await asyncio.sleep(30)

    async with a_host(slow=slow) as port:
        error = await refusal(an_http(port, timeout_s=0.1), f"http://127.0.0.1:{port}/slow")

    assert (error.code, error.action) == ("tool_unreachable", "retry")


@pytest.mark.parametrize(
    ("status", "action", "after", "wait_s"),
    [(404, "skip", "", None), (429, "retry", "3", 3.0), (503, "retry", "soon", None)],
)
async def test_a_status_says_whether_it_may_pass(status, action, after, wait_s):
    failing = always(status=status, headers={"Retry-After": after})
    async with a_host(page=failing) as port:
        error = await refusal(an_http(port), f"http://127.0.0.1:{port}/page")

    assert (error.action, error.retry_after_s) == (action, wait_s)


async def test_a_key_goes_to_its_host_and_to_no_other(monkeypatch):
    monkeypatch.setenv("PAGE_KEY", "Bearer s3")

    async def page(request):
        return server.json_response(dict(request.headers))

    keys = (Key(host="127.0.0.1", env="PAGE_KEY"),)
    async with a_host(page=page) as port:
        hosts = (*HERE, "::1")
        async with Web(an_http(port, hosts, keys=keys)) as web:
            mine = await web.ask("GET", f"http://127.0.0.1:{port}/page")
            other = await web.ask("GET", f"http://localhost:{port}/page")

    assert json.loads(mine.text)["Authorization"] == "Bearer s3"
    assert "Authorization" not in json.loads(other.text)


async def test_a_key_is_never_sent_in_the_clear(monkeypatch):
    monkeypatch.setenv("PAGE_KEY", "s3")
    http = Http(hosts=("docs.example.org",), keys=(Key(host="docs.example.org", env="PAGE_KEY"),))

    error = await refusal(http, "http://docs.example.org/")

    assert str(error) == "docs.example.org takes a key, so write https"


async def test_a_change_that_answers_nothing_was_still_done():
    async with a_host(gone=always(status=204)) as port, Web(an_http(port)) as web:
        page = await web.ask("DELETE", f"http://127.0.0.1:{port}/gone")

    assert (page.status, page.text) == (204, "")


async def test_a_key_that_the_environment_lacks_is_refused_at_once(monkeypatch):
    monkeypatch.delenv("PAGE_KEY", raising=False)

    with pytest.raises(ConfigError, match="PAGE_KEY"):
        Web(Http(keys=(Key(host="x", env="PAGE_KEY"),)))


async def test_a_page_is_fetched_as_text_and_tried_again_after_a_failure_that_may_pass():
    answers = [
        server.Response(status=503),
        server.Response(text="<p>Tea &amp; milk</p>", content_type="text/html"),
    ]

    async def page(request):
        return answers.pop(0)

    spans = []
    async with a_host(page=page) as port, Web(an_http(port)) as web:
        said = await texts(
            a_belt(fetch_page(web)),
            call("fetch_page", url=f"http://127.0.0.1:{port}/page"),
            run=a_run(spans),
        )

    assert said == ["Tea & milk"]
    assert spans[0]["attempt"] == 2


async def test_an_api_is_changed_only_with_approval():
    seen = []

    async def order(request):
        seen.append((request.method, await request.json()))
        return server.json_response({"ok": True})

    async def approve(tool, arguments, run):
        return arguments["method"] == "PUT"

    async with a_host(order=order) as port, Web(an_http(port)) as web:
        belt = a_belt(call_api(web), parts=Parts(approve=approve))
        url = f"http://127.0.0.1:{port}/order"
        said = await texts(
            belt,
            call("call_api", method="PUT", url=url, body={"n": 1}),
            call("call_api", "b", method="DELETE", url=url),
        )

    assert said == ['{"ok": true}', "error: a person rejected this call of call_api"]
    assert seen == [("PUT", {"n": 1})]


async def test_a_search_asks_the_endpoint_and_reads_its_results():
    asked = []

    async def find(request):
        asked.append(dict(request.query))
        hits = [{"name": f"T{n}", "href": f"https://x/{n}", "text": None} for n in range(9)]
        return server.json_response({"web": {"hits": hits}})

    async with a_host(find=find) as port, Web(an_http(port)) as web:
        settings = Search(
            url=f"http://127.0.0.1:{port}/find?q={{query}}&n={{count}}",
            results="web.hits",
            title="name",
            link="href",
            snippet="text",
        )
        said = await texts(
            a_belt(web_search(web, settings)), call("web_search", query="a&n=9 {count}", count=2)
        )

    assert asked == [{"q": "a&n=9 {count}", "n": "2"}]
    assert json.loads(said[0])[1] == {"title": "T1", "link": "https://x/1", "snippet": ""}
    assert len(json.loads(said[0])) == 2


async def test_a_search_that_answers_something_else_fails_in_words():
    odd = always(text="[]", content_type="application/json")
    async with a_host(find=odd) as port, Web(an_http(port)) as web:
        settings = Search(url=f"http://127.0.0.1:{port}/find?q={{query}}")
        said = await texts(a_belt(web_search(web, settings)), call("web_search", query="a"))

    assert said == ["error: the search answered without a list of results at 'results'"]


def test_a_search_without_a_query_is_refused():
    with pytest.raises(ValueError, match="query"):
        Search(url="https://x/")
