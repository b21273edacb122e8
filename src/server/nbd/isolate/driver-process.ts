import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { VarveError } from '../../../base/varve-error.ts';
import { NbdClient } from '../../../block/nbd/nbd-client.ts';
import { log } from '../../../log/log.ts';
import { printable } from '../../../log/printable.ts';
import { confinement, isProgramReadable } from './confinement.ts';
import { type DiskRequest, type DriverAnswer, driverDescriptor } from './driver-request.ts';

/** A disk's driver in a process of its own. */
export interface DriverProcess extends AsyncDisposable {
  readonly client: NbdClient;
  /** The metadata contexts of its disk beside `base:allocation`. */
  readonly contexts: readonly string[];
  /** Why it ended, once it has. */
  readonly ended: Promise<string>;
}

/** A disk cannot be opened without a passphrase. */
export class SecretWanted extends Error {
  readonly question: string;

  constructor(question: string) {
    super(`${question} is needed`);
    this.question = question;
  }
}

/** The driver is a module beside this one, as source or built. */
const driverModule = fileURLToPath(new URL(`./driver-worker${extname(import.meta.url)}`, import.meta.url));
/** For opening a disk: one that has to be unpacked takes long. */
const startTimeoutMs = 600_000;
/** What a driver may print before it is taken for mad, in bytes. */
const maximumAnswerLength = 2 ** 20;
/** So long a driver has to end by itself. */
const farewellMs = 5000;

/**
 * Starts a driver, which opens its disk and serves it to this process alone.
 *
 * @throws VarveError as opening the disk does; `IO` where the process ends instead
 */
export async function startDriver(request: DiskRequest): Promise<DriverProcess> {
  const { command, description, userId } = confinement(request);
  const [program = '', ...args] = [...command, driverModule];
  const child = spawn(program, args, {
    cwd: '/',
    // What ends this process by a key is not to end the driver before it was told all.
    detached: true,
    env: { PATH: process.env.PATH, ...(process.env.TMPDIR === undefined ? {} : { TMPDIR: process.env.TMPDIR }) },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const ended = endOf(child, request.path);
  const timer = setTimeout(() => kill(child), startTimeoutMs);
  try {
    child.stdin?.end(JSON.stringify({ ...request, userId, isProgramReadable: isProgramReadable() }));
    const answer = await answerOf(child, ended);
    if (answer.kind === 'secret') throw new SecretWanted(printable(answer.question));
    if (answer.kind === 'failed') throw new VarveError(answer.code, printable(answer.message));
    log(1, 'driver of %s: process %d with %s', request.path, child.pid, description);
    const stream = child.stdio[driverDescriptor] as Duplex;
    const contexts = ['base:allocation', ...answer.contexts];
    const client = await NbdClient.over(stream, `the driver of ${request.path}`, contexts);
    const dispose = async (): Promise<void> => await end(child, client, ended);
    return { client, contexts: answer.contexts, ended, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    kill(child);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** With all that it has started. */
function kill(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended just now.
  }
}

async function end(child: ChildProcess, client: NbdClient, ended: Promise<string>): Promise<void> {
  client.close();
  const timer = setTimeout(() => kill(child), farewellMs);
  await ended;
  clearTimeout(timer);
}

/** Settles when the process is gone, and nothing of it holds the disk's locks any more. */
async function endOf(child: ChildProcess, path: string): Promise<string> {
  let complaint = '';
  child.stderr?.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-2000);
  });
  for (const stream of child.stdio) stream?.on('error', () => undefined);
  // Whoever is left of it ends with its socket.
  child.once('exit', () => child.stdio[driverDescriptor]?.destroy());
  const { promise, resolve } = Promise.withResolvers<string>();
  child.once('error', (error) => resolve(error.message));
  child.once('close', (status, signal) => resolve(signal ?? `status ${status}`));
  const how = await promise;
  if (complaint !== '') log(1, 'driver of %s said: %s', path, printable(complaint));
  return how;
}

async function answerOf(child: ChildProcess, ended: Promise<string>): Promise<DriverAnswer> {
  const line = await Promise.race([firstLine(child.stdout as Readable), ended.then(() => undefined)]);
  try {
    const answer = JSON.parse(line ?? '') as DriverAnswer;
    if (answer.kind !== 'ready' || Array.isArray(answer.contexts)) return answer;
  } catch {
    // Told below.
  }
  throw new VarveError(
    'IO',
    `its driver did not start: ${line === undefined ? await ended : 'it does not answer as one'}`,
  );
}

function firstLine(stream: Readable): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  let received = '';
  stream.on('data', (chunk) => {
    if (received.includes('\n')) return;
    received += chunk;
    if (received.includes('\n')) resolve(received.slice(0, received.indexOf('\n')));
    else if (received.length > maximumAnswerLength) resolve('');
  });
  stream.on('close', () => resolve(received === '' ? undefined : received));
  return promise;
}
