import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Hears which process it is about, waits until nobody holds the other end of its standard input, then ends that process and
 * its children and removes the directories.
 */
const script = `
read -r pid
cat > /dev/null
if [ -n "$pid" ]; then
  children=$(cat "/proc/$pid/task/$pid/children" 2> /dev/null)
  kill "$pid" $children 2> /dev/null
fi
rm -rf -- "$@"
`;

/**
 * Ends a command, and removes directories, should this process be killed by what it cannot hear. Disposing of it calls it
 * off.
 */
export class Watchdog implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(directories: readonly string[]) {
    this.#process = spawn('/bin/sh', ['-c', script, 'sh', ...directories], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#process.stdin?.on('error', () => {});
    this.#ended = new Promise((resolve) => this.#process.once('error', () => resolve()).once('exit', () => resolve()));
  }

  /** Says which process it is about. */
  watch(pid: number): void {
    this.#process.stdin?.write(`${pid}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The command's number may be somebody else's by the time that it looks.
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
