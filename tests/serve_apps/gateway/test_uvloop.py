"""The same ground on the event loop that Ray's workers have."""

import openai
import uvloop

from tests.serve_apps.gateway.ground import ground


def test_a_slot_answers_over_its_line_on_rays_event_loop(tmp_path):
    async def asked():
        async with (
            ground(tmp_path) as place,
            openai.AsyncOpenAI(base_url=f"{place.url}/v1", api_key="k", max_retries=0) as client,
        ):
            answer = await client.chat.completions.create(
                model="echo", messages=[{"role": "user", "content": "why?"}]
            )
        return answer.choices[0].message.content

    assert uvloop.run(asked()) == "You said: why?"
