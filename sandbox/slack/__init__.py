"""A Slack to test against: `local-slack` (npm), isolated, with a proxy in front of it and people who use it.

    from sandbox.slack import people
    from sandbox.slack.server import SlackServer
    from sandbox.slack.workspace import Channel, User

    async with SlackServer(users=[User("U1", "ada", "ada@example.org")]) as slack:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
        ...
        [prompt] = await people.messages(slack, await people.dm_of(slack, "U1"))
        await people.click(slack, prompt, "approve", "U1")

`slack.api_url`, `slack.bot_token`, `slack.app_token` and `slack.signing_secret` go into the app's settings.
`slack.calls` holds every Web API call, `slack.deliveries` all that Slack sent to the app and how the app answered.
`slack.state.people["U1"] = {"deleted": True}` changes what `users.info` says about her. `slack.state` also holds the
`scopes` granted, the rooms `archived`, how long a trigger id is valid (`trigger_seconds`), and everybody's open
`modals` and `homes`.

Laxer than Slack: it refuses little, has no rate limits of its own, and does not send an event twice.
Raises NoSlack (sandbox.slack.tool) if it can't run; the text says what to do.
"""
