"""Order processing with effects that leave a mark in a file, for tests."""

from pathlib import Path

from tests.engine.workflow.plan.flows import graph, with_tools


def order(**changes):
    nodes = {
        "reserve": {
            "type": "tool",
            "tool": "reserve",
            "arguments": {"order": "input.order"},
            "undo": {"tool": "release", "arguments": {"order": "input.order"}},
        },
        "pay": {
            "type": "tool",
            "tool": "pay",
            "arguments": {"order": "input.order"},
            "after": ["reserve"],
            "undo": {"tool": "refund", "arguments": {"receipt": "self.text"}},
        },
        "notify": {"type": "tool", "tool": "notify", "arguments": {"receipt": "pay.text"}},
    }
    for name, change in changes.items():
        nodes[name] = nodes.get(name, {}) | change
    return graph(nodes, "notify.text", order="text")


def tools(path, *, pay_hook=None, failing=()):
    """The tools of a shop; each call is a line in the file, with its idempotency key."""
    book = Path(path)

    def did(what):
        with book.open("a") as file:
            file.write(what + "\n")

    def made(name, parameter, answer):
        def tool(idempotency_key="", **arguments):
            if name in failing:
                raise ValueError(f"{name} is down")
            if name == "pay" and pay_hook is not None:
                pay_hook(arguments)
            did(f"{name} {arguments[parameter]}")
            return answer

        tool.__name__ = name
        return tool

    return with_tools(
        "reserve",
        "pay",
        "notify",
        "release",
        "refund",
        reserve=made("reserve", "order", "reserved"),
        pay=made("pay", "order", "receipt-1"),
        notify=made("notify", "receipt", "sent"),
        release=made("release", "order", "released"),
        refund=made("refund", "receipt", "refunded"),
    )


def lines(path):
    return Path(path).read_text().splitlines() if Path(path).exists() else []
