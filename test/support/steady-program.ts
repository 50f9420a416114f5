/**
 * A program for tests of the supervisor: says that it is ready, notes its end, and holds a port meanwhile.
 * Arguments: name, port (0 = any), file that its end is noted in, `deaf` to ignore the wish that it ends.
 */
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:net';

const [name = 'steady', port = '0', diary = '', hearing = ''] = process.argv.slice(2);
const server = createServer();
process.on('SIGTERM', () => {
  if (hearing === 'deaf') return;
  if (diary) appendFileSync(diary, `${name} stops\n`);
  process.exit(0);
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log(JSON.stringify({ msg: `${name} ready`, urls: {}, env: { GREETING: `from ${name}` } }));
});
