import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { styleText } from 'node:util';
import { developmentEnvironment, projectDirectory } from '../project.ts';

/** One thing that the tour shows: what it is about, and the commands for it, as a shell reads them. */
export interface Step {
  readonly about: string;
  readonly commands: readonly string[];
  /** The program that the step needs; without it, the step is left out and the program named. */
  readonly tool?: string;
  /** The status that the commands end with, where it is not 0. */
  readonly status?: number;
}

/** Why a tour cannot go on. */
export class TourStopped extends Error {}

/** Whether the machine has `program`. */
export function hasTool(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`], { env: developmentEnvironment() }).status === 0;
}

/** A tour in a directory of its own, with a store of its own; disposing removes both. */
export class Tour implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'varve-tour-'));
  readonly #environment: NodeJS.ProcessEnv;
  #running: ChildProcess | undefined;
  #interrupted = false;

  constructor() {
    const programs = join(this.directory, '.bin');
    mkdirSync(programs);
    symlinkSync(join(projectDirectory, 'varve'), join(programs, 'varve'));
    const { PATH, ...environment } = developmentEnvironment();
    this.#environment = {
      ...environment,
      PATH: programs + delimiter + PATH,
      VARVE_STORE: join(this.directory, 'store'),
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => this.#interrupt(signal));
    process.on('exit', () => this.#remove()); // for what no one catches, such as the end of `npm start | head`
  }

  /** Prints what `step` is about and runs its commands, each with its output. */
  async show({ about, commands, tool, status = 0 }: Step): Promise<void> {
    console.log(`\n${styleText('bold', about)}`);
    if (tool !== undefined && !hasTool(tool)) return console.log(`(left out, as ${tool} is not installed)`);
    for (const command of commands) {
      console.log(styleText('cyan', `$ ${command}`));
      const ended = await this.#run(command);
      if (this.#interrupted) throw new TourStopped('interrupted');
      if (ended !== status) throw new TourStopped(`"${command}" ended with status ${ended}, and ${status} was due`);
    }
  }

  async #run(command: string): Promise<number | null> {
    const options = { cwd: this.directory, env: this.#environment };
    this.#running = spawn('sh', ['-c', command], { ...options, stdio: ['ignore', 'inherit', 'inherit'] });
    const [status] = await once(this.#running, 'close');
    return status;
  }

  /** Lets what runs end first, so that the directory can be removed. */
  #interrupt(signal: NodeJS.Signals): void {
    this.#interrupted = true;
    this.#running?.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#remove();
  }

  #remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
