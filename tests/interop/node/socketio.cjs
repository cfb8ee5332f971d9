// The interop server on the real `socket.io`. What it does is said by the event; see ../README.md.
'use strict';

const http = require('node:http');
const { Server } = require('socket.io');

const flags = {};
for (let i = 2; i < process.argv.length; i += 2) flags[process.argv[i]] = process.argv[i + 1];

const runs = new Map();

function runOf(name) {
  if (!runs.has(name)) runs.set(name, { connected: [], events: [], reasons: [] });
  return runs.get(name);
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  if (url.pathname !== '/report') return void response.writeHead(404).end();
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(runOf(url.searchParams.get('run'))));
});
const io = new Server(server, { pingInterval: 250, pingTimeout: 1000 });

function serve(socket) {
  const run = runOf(socket.handshake.query.run);
  run.connected.push(socket.id);
  socket.onAny((...event) => run.events.push(event.filter((part) => typeof part !== 'function')));
  socket.on('disconnect', (reason) => run.reasons.push(reason));

  // Whoever asks for an acknowledgement gets one; the others get the event back.
  socket.on('echo', (...parts) => {
    const last = parts.at(-1);
    if (typeof last === 'function') last(...parts.slice(0, -1));
    else socket.emit('echo', ...parts);
  });
  socket.on('join', (room) => {
    socket.join(room);
    socket.emit('joined', room);
  });
  socket.on('say', (room, text) => io.to(room).emit('said', room, text));
  socket.on('announce', (text) => socket.broadcast.emit('announced', text));
  socket.on('ask', () => {
    socket.timeout(5000).emit('question', (error) => socket.emit('answered', error === null));
  });
  socket.on('attach', () => socket.emit('attached', Buffer.from([1, 2])));
  socket.on('leave', () => socket.disconnect());
  socket.on('hang up', () => socket.disconnect(true));
}

io.on('connection', serve);
io.of('/chat')
  .use((socket, next) => {
    const refused = Object.assign(new Error('who are you?'), { data: { code: 7 } });
    next(socket.handshake.query.token === 'right' ? undefined : refused);
  })
  .on('connection', serve);

server.listen(Number(flags['--port'] ?? 0), '127.0.0.1', () => {
  console.log(`listening on ws://127.0.0.1:${server.address().port}`);
});
// Ends with its starter, however that ended.
process.stdin.on('end', () => process.exit(0)).resume();
