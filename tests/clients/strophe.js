// strophe.js 5 in Node: two accounts log in over WebSocket and talk.
//
// Finds the server by OC_HOST, OC_HTTPS, OC_CA, OC_DOMAIN, OC_PASSWORD; exits non-zero with the reason
// when something is not as it should be. The accounts juliet and romeo exist.
const dns = require('dns');
const { spawnSync } = require('child_process');

// Node reads this variable at its start only; the certificate is checked as a browser would.
if (process.env.NODE_EXTRA_CA_CERTS !== process.env.OC_CA) {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: process.env.OC_CA };
  process.exit(spawnSync(process.execPath, [__filename], { env, stdio: 'inherit' }).status);
}

// The name of the domain stands for the address of the server.
dns.lookup = (host, options, done = options) => {
  if (options.all) done(null, [{ address: process.env.OC_HOST, family: 4 }]);
  else done(null, process.env.OC_HOST, 4);
};

const TIMEOUT_MS = 20000;

const { JSDOM } = require('jsdom');
const { window } = new JSDOM('', { url: `https://${process.env.OC_DOMAIN}/` });
for (const name of ['XMLHttpRequest', 'DOMParser', 'XMLSerializer', 'document']) {
  globalThis[name] = window[name];
}
const { Strophe, $msg, $pres } = require('strophe.js');

const place = `${process.env.OC_DOMAIN}:${process.env.OC_HTTPS}`;

function timeout(what) {
  return new Promise((_, fail) => {
    setTimeout(() => fail(new Error(`${what}: nothing came in time`)), TIMEOUT_MS).unref();
  });
}

function login(url, name) {
  const jid = `${name}@${process.env.OC_DOMAIN}`;
  const connection = new Strophe.Connection(url);
  const connected = new Promise((done, fail) => {
    connection.connect(jid, process.env.OC_PASSWORD, (status, why) => {
      const { CONNECTED, CONNFAIL, AUTHFAIL, ERROR } = Strophe.Status;
      if (status === CONNECTED) {
        connection.send($pres().tree());
        done(connection);
      } else if ([CONNFAIL, AUTHFAIL, ERROR].includes(status)) {
        fail(new Error(`${url}: status ${status} ${why}`));
      }
    });
  });
  return Promise.race([connected, timeout(url)]);
}

function hears(connection) {
  const heard = new Promise((done) => {
    connection.addHandler((message) => {
      done(message.getElementsByTagName('body')[0].textContent);
    }, null, 'message');
  });
  return Promise.race([heard, timeout('a message')]);
}

async function main() {
  const juliet = await login(`wss://${place}/xmpp-websocket`, 'juliet');
  console.log(`strophe: WebSocket ok, ${juliet.jid}`);
  const romeo = await login(`wss://${place}/xmpp-websocket`, 'romeo');
  const text = 'Art thou not <Romeo> & a Montague?';
  for (const [from, to] of [[juliet, romeo], [romeo, juliet]]) {
    const heard = hears(to);
    from.send($msg({ to: to.jid, type: 'chat' }).c('body').t(text).tree());
    const got = await heard;
    if (got !== text) throw new Error(`sent ${text}, heard ${got}`);
  }
  console.log('strophe: messages both ways ok');
}

main().then(() => process.exit(0), (error) => {
  console.error(`strophe: ${error.message}`);
  process.exit(1);
});
