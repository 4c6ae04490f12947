"""A Slack to test against: `local-slack` (npm), fenced in, with a strict proxy before it and people who use it.

    from sandbox.slack import faults, people
    from sandbox.slack.server import SlackServer
    from sandbox.slack.workspace import Channel, User

    async with SlackServer(users=[User("U1", "ada", "ada@example.org")], mode="socket") as slack:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
        ...
        [prompt] = await people.messages(slack, await people.dm_of(slack, "U1"))
        await people.click(slack, prompt, "approve", "U1")

`slack.api_url`, `slack.bot_token`, `slack.app_token` and `slack.signing_secret` go into the app's settings. With
`mode="http"` Slack posts, signed, to `slack.request_url`, which may be set once the app listens. `slack.calls` holds
every Web API call, `slack.deliveries` all that Slack sent to the app and how the app answered.
`slack.fail("chat.postMessage", faults.rate_limited(2))` lets the next call fail; with `.afterwards()` on the fault the
message is posted all the same. `slack.state.people["U1"] = {"deleted": True}` changes what `users.info` says of her.
`await slack.cut_sockets()` and `await slack.ask_to_reconnect()` end the WebSockets; `slack.kill_sockets()` lets them
die and be counted as live until `await slack.forget_the_dead()`; `slack.fall_asleep()` delivers nothing until the app
calls the Web API; `slack.deliver_twice()` sends the next delivery twice; `slack.lose_answers()` cuts the connection as
the app answers the next one, and `await slack.deliver_again(delivery)` sends one once more. `slack.state` also holds
the `scopes` granted, the rooms `archived`, how long a trigger id is good (`trigger_seconds`), and everybody's open
`modals` and `homes`.

Stricter than Slack: a message of more than 40,000 characters is refused, where Slack cuts it. Laxer: no rate limits of
its own, no retries of events, and only the block types that limits.py lists.
Raises NoSlack (sandbox.slack.tool) where it can't run; the text says what to do.
"""
