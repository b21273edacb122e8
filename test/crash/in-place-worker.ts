import { convertInPlace } from '../../src/image/in-place/convert-in-place.ts';
import { configureLog } from '../../src/log/log.ts';

// Converts a file in its place, and kills itself at one of the steps that it logs.
const [path = '', to = '', killAt = '0', room = '', spool = ''] = process.argv.slice(2);
let count = 0;
const step = () => {
  count += 1;
  if (count === Number(killAt)) process.kill(process.pid, 'SIGKILL');
};
configureLog({ sinks: [{ line: step, progress: () => {}, close: () => {} }], verbose: true });
await convertInPlace(path, {
  to,
  ...(room === '' ? {} : { room: Number(room) }),
  ...(spool === '' ? {} : { spool }),
});
process.stdout.write(String(count));
