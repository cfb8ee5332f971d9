// The interop server on Node's `ws`. What it does is said by the URL; see ../README.md.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const { WebSocketServer } = require('ws');

const flags = {};
for (let i = 2; i < process.argv.length; i += 2) flags[process.argv[i]] = process.argv[i + 1];

// ---- what each run has seen ------------------------------------------------------------------

const runs = new Map();

function runOf(url) {
  const name = url.searchParams.get('run') ?? '';
  if (!runs.has(name)) {
    runs.set(name, {
      handshakes: [], opened: 0, messages: [], resent: 0, changed: 0, pongs: 0, closes: [],
      errors: [], byId: new Map(),
    });
  }
  return runs.get(name);
}

function report(run) {
  const { byId, ...plain } = run;
  return JSON.stringify({ ...plain, ids: [...byId.keys()] });
}

const parse = (request) => new URL(request.url, 'http://127.0.0.1');
const number = (url, name, fallback) => Number(url.searchParams.get(name) ?? fallback);

// Faults are for the first `times` handshakes of a run; afterwards the server echoes, or
// acknowledges faithfully.
const faulty = (url, run) => run.handshakes.length <= number(url, 'times', 1e9);

// ---- the handshake ---------------------------------------------------------------------------

const options = {
  noServer: true,
  perMessageDeflate: { threshold: 0 },
  maxPayload: 64 * 1024 * 1024,
  handleProtocols: (offered) => (offered.has('v2.interop') ? 'v2.interop' : false),
};
const normal = new WebSocketServer(options);
const mute = new WebSocketServer({ ...options, autoPong: false });
normal.on('headers', spoil);
normal.on('connection', serve);
mute.on('connection', serve);

function spoil(lines, request) {
  const url = parse(request);
  if (!faulty(url, runOf(url))) return;
  if (url.pathname === '/bad-accept') {
    const at = lines.findIndex((line) => line.startsWith('Sec-WebSocket-Accept'));
    lines[at] = 'Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=';
  } else if (url.pathname === '/extension') {
    lines.push('Sec-WebSocket-Extensions: permessage-deflate');
  }
}

function plain(request, response) {
  const url = parse(request);
  response.setHeader('Content-Type', 'application/json');
  if (url.pathname === '/report') response.end(report(runOf(url)));
  else response.writeHead(404).end();
}

const tls = flags['--cert'] !== undefined;
const server = tls
  ? https.createServer(
      { cert: fs.readFileSync(flags['--cert']), key: fs.readFileSync(flags['--key']) }, plain)
  : http.createServer(plain);

server.on('upgrade', (request, socket, head) => {
  const url = parse(request);
  const run = runOf(url);
  run.handshakes.push({ target: request.url, headers: request.headers });
  socket.on('error', (error) => run.errors.push(error.code ?? String(error)));
  if (url.pathname === '/status' && faulty(url, run)) {
    const code = number(url, 'code', 503);
    const advice = url.searchParams.get('retry-after');
    socket.end(`HTTP/1.1 ${code} ${http.STATUS_CODES[code]}\r\nConnection: close\r\n`
      + (advice ? `Retry-After: ${advice}\r\n` : '') + 'Content-Length: 0\r\n\r\n');
    return;
  }
  const door = url.pathname === '/freeze' && faulty(url, run) ? mute : normal;
  door.handleUpgrade(request, socket, head, (ws) => door.emit('connection', ws, request));
});

// ---- an open connection ----------------------------------------------------------------------

function serve(ws, request) {
  const url = parse(request);
  const run = runOf(url);
  const link = { ws, url, run, socket: request.socket, faulty: faulty(url, run), count: 0 };
  run.opened += 1;
  ws.on('error', (error) => run.errors.push(error.code ?? String(error)));
  ws.on('close', (code) => run.closes.push(code));
  ws.on('pong', () => { run.pongs += 1; });
  ws.on('message', (data, binary) => {
    link.count += 1;
    const text = binary ? null : data.toString();
    run.messages.push(!binary && data.length <= 4096 ? text : `<${data.length} bytes>`);
    const usual = url.pathname === '/ack' ? acknowledge : echo;
    (link.faulty ? behaviours[url.pathname] ?? usual : usual)(link, data, binary, text);
  });
  if (link.faulty) openings[url.pathname]?.(link);
}

const echo = ({ ws }, data, binary) => ws.send(data, { binary });
const nothing = () => {};

function acknowledge({ ws, url, run, socket, count, faulty }, data, binary, text) {
  const id = JSON.parse(text).id;
  const before = run.byId.get(id);
  run.byId.set(id, text);
  if (before !== undefined) {
    run.resent += 1;
    if (before !== text) run.changed += 1;
  }
  const lose = number(url, 'lose', 0);
  if (!(lose && id % lose === 0 && before === undefined)) ws.send(JSON.stringify({ ack: id }));
  if (faulty && count === number(url, 'cut', 0)) socket.resetAndDestroy();
}

const behaviours = {
  '/freeze': nothing,
  '/ping': nothing,
  '/close': ({ ws, url, count }) => {
    if (count === number(url, 'after', 0)) ws.close(number(url, 'code', 1000), 'interop');
  },
  '/cut': ({ url, socket, count }) => {
    if (count === number(url, 'after', 1)) socket.resetAndDestroy();
  },
};

const openings = {
  '/close': ({ ws, url }) => {
    if (number(url, 'after', 0) === 0) ws.close(number(url, 'code', 1000), 'interop');
  },
  '/ping': ({ ws, url }) => {
    const timer = setInterval(() => ws.ping(), number(url, 'every', 50));
    ws.on('close', () => clearInterval(timer));
  },
  '/protocol': ({ ws }) => ws.send(ws.protocol === '' ? 'none' : ws.protocol),
  '/binary': ({ ws }) => ws.send(Buffer.from([0, 1, 2, 254, 255])),
  // Split inside a character, with a ping between two fragments (RFC 6455 §5.4).
  '/fragments': ({ ws }) => {
    const whole = Buffer.from('one \u{1f331} message', 'utf8');
    ws.send(whole.subarray(0, 6), { binary: false, fin: false });
    ws.ping();
    ws.send(whole.subarray(6, 7), { binary: false, fin: false });
    ws.send(whole.subarray(7), { binary: false, fin: true });
  },
  '/twice': ({ ws, url }) => {
    for (let id = 1; id <= number(url, 'n', 5); id += 1) {
      ws.send(JSON.stringify({ id, data: 'twice' }));
      ws.send(JSON.stringify({ id, data: 'twice' }));
    }
  },
  // Five items a connection, and a full stop after fifteen.
  '/feed': ({ ws, url }) => {
    const since = number(url, 'since', 0);
    for (let seq = since + 1; seq <= Math.min(since + 5, 15); seq += 1) {
      ws.send(JSON.stringify({ seq }));
    }
    if (since < 10) ws.close(1001, 'going away');
  },
  '/bad-utf8': ({ socket }) => socket.write(Buffer.from([0x81, 0x02, 0xc3, 0x28])),
  '/bad-rsv': ({ socket }) => socket.write(Buffer.from([0xc1, 0x01, 0x61])),
};

// ---- the process -----------------------------------------------------------------------------

server.listen(Number(flags['--port'] ?? 0), '127.0.0.1', () => {
  console.log(`listening on ${tls ? 'wss' : 'ws'}://127.0.0.1:${server.address().port}`);
});
// Ends with its starter, however that ended.
process.stdin.on('end', () => process.exit(0)).resume();
