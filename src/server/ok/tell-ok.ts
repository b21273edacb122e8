import { VarveError } from '../../base/varve-error.ts';
import { runningCommands } from './ok-record.ts';

/** Tells a running command that what it has done is enough. @throws VarveError `NOT_FOUND` naming those that run, `PERMISSION` */
export function tellOk(directory: string, name: string): void {
  const running = runningCommands(directory);
  const found = running.find((record) => record.name === name);
  if (found === undefined) {
    const names = running.map((record) => record.name).join(', ');
    throw new VarveError(
      'NOT_FOUND',
      `no command ${name} is running; ${names === '' ? 'none is' : `there are ${names}`}`,
    );
  }
  process.kill(found.runner.pid, 'SIGUSR2');
}
