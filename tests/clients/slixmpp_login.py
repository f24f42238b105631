"""slixmpp against a server: STARTTLS and direct TLS, roster, presence, messages, resumption.

Finds the server by OC_HOST, OC_STARTTLS, OC_TLS, OC_CA, OC_DOMAIN, OC_PASSWORD; exits non-zero with the
reason when something is not as it should be. The accounts juliet and romeo exist.
"""

import asyncio
import os
import ssl
import sys

import slixmpp

HOST = os.environ["OC_HOST"]
DOMAIN = os.environ["OC_DOMAIN"]
PASSWORD = os.environ["OC_PASSWORD"]
TIMEOUT_S = 20


class Client(slixmpp.ClientXMPP):
    """A stock client that remembers what it hears."""

    def __init__(self, name, direct):
        super().__init__(f"{name}@{DOMAIN}/slixmpp", PASSWORD)
        for plugin in ("xep_0030", "xep_0092", "xep_0115", "xep_0198", "xep_0199", "xep_0202"):
            self.register_plugin(plugin)
        self.enable_direct_tls = direct
        self.enable_starttls = not direct
        self.ssl_context = ssl.create_default_context(cafile=os.environ["OC_CA"])
        self.direct = direct
        self.ready = asyncio.Event()
        self.resumed = asyncio.Event()
        self.heard = asyncio.Queue()
        self.presences = asyncio.Queue()
        self.failure = None
        self.add_event_handler("session_start", self.start)
        self.add_event_handler("session_resumed", lambda _: self.resumed.set())
        self.add_event_handler("message", self.heard.put_nowait)
        self.add_event_handler("presence", self.presences.put_nowait)
        self.add_event_handler("failed_all_auth", lambda _: self.fail("login refused"))

    def go(self):
        self.connect(HOST, int(os.environ["OC_TLS" if self.direct else "OC_STARTTLS"]))

    async def start(self, _):
        await self.get_roster()
        self.send_presence()
        self.ready.set()

    def fail(self, why):
        self.failure = why
        self.ready.set()

    async def hears(self, body):
        while True:
            message = await asyncio.wait_for(self.heard.get(), TIMEOUT_S)
            if message["body"] == body:
                return message


async def log_in(*clients):
    for client in clients:
        client.go()
    for client in clients:
        await asyncio.wait_for(client.ready.wait(), TIMEOUT_S)
        assert client.failure is None, client.failure


async def talk(juliet, romeo):
    """Messages both ways, in order."""
    for number in range(50):
        juliet.send_message(mto=romeo.boundjid.bare, mbody=f"to romeo {number}", mtype="chat")
        romeo.send_message(mto=juliet.boundjid.full, mbody=f"to juliet {number}", mtype="chat")
    for number in range(50):
        message = await asyncio.wait_for(romeo.heard.get(), TIMEOUT_S)
        assert message["body"] == f"to romeo {number}", message["body"]
        assert message["from"] == juliet.boundjid, message["from"]
        message = await asyncio.wait_for(juliet.heard.get(), TIMEOUT_S)
        assert message["body"] == f"to juliet {number}", message["body"]


async def subscribe(juliet, romeo):
    """Both see each other's presence; slixmpp accepts and subscribes back by itself."""
    juliet.send_presence_subscription(pto=romeo.boundjid.bare, ptype="subscribe")
    async with asyncio.timeout(TIMEOUT_S):
        while not (
            juliet.client_roster[romeo.boundjid.bare]["subscription"] == "both"
            and romeo.client_roster[juliet.boundjid.bare]["subscription"] == "both"
        ):
            await asyncio.sleep(0.05)
    juliet.send_presence(pshow="away", pstatus="tea")
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            presence = await romeo.presences.get()
            if presence["from"] == juliet.boundjid and presence["status"] == "tea":
                return


async def ask(juliet, _):
    """What clients ask a server first."""
    info = await juliet.plugin["xep_0030"].get_info(jid=DOMAIN)
    features = info["disco_info"]["features"]
    for feature in ("urn:xmpp:ping", "http://jabber.org/protocol/disco#info"):
        assert feature in features, features
    version = await juliet.plugin["xep_0092"].get_version(DOMAIN)
    assert version["software_version"]["name"], version
    await juliet.plugin["xep_0199"].ping(DOMAIN)


async def resume(juliet, romeo):
    """The connection breaks; what was said meanwhile arrives, and the session is the same."""
    before = juliet.boundjid.full
    juliet.resumed.clear()
    # As a network breaks: no stream end, no TLS goodbye.
    juliet.transport.abort()
    romeo.send_message(mto=before, mbody="while you were away", mtype="chat")
    await asyncio.sleep(0.5)
    if not juliet.is_connecting() and not juliet.is_connected():
        juliet.go()
    await asyncio.wait_for(juliet.resumed.wait(), TIMEOUT_S)
    assert juliet.boundjid.full == before, juliet.boundjid.full
    await juliet.hears("while you were away")


async def main():
    juliet, romeo = Client("juliet", direct=False), Client("romeo", direct=True)
    await log_in(juliet, romeo)
    for step in (talk, subscribe, ask, resume):
        await step(juliet, romeo)
        print(f"slixmpp: {step.__name__} ok", flush=True)
    await asyncio.gather(juliet.disconnect(), romeo.disconnect())


try:
    asyncio.run(asyncio.wait_for(main(), 120))
except (AssertionError, TimeoutError, slixmpp.exceptions.XMPPError) as error:
    sys.exit(f"slixmpp: {type(error).__name__}: {error}")
