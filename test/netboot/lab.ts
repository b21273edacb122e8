import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from '../../scripts/setup/project.mjs';
import { type Machine, type MachineOptions, startMachine } from './machine.ts';

/** Where everything that serves listens. */
export const serverAddress = '10.9.0.1';
/** The bridge that all machines hang on. */
export const interfaceName = 'lan';

const prefix = 'varve-lab-';
let labCount = 0;

/** Why there can be no lab here, or false. `files` are what a test takes besides programs, each with its package. */
export function skipWithoutLab(
  programs: readonly string[],
  files: Readonly<Record<string, string>> = {},
): string | false {
  if (process.getuid?.() !== 0) return 'only root makes network namespaces';
  for (const program of ['ip', 'setpriv', 'qemu-system-x86_64', ...programs]) {
    if (findCommand(program) === undefined) return `${program} is not installed`;
  }
  for (const [path, name] of Object.entries(files)) {
    if (!existsSync(path)) return `the Debian package ${name} is not installed: there is no ${path}`;
  }
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun';
  const probe = `${prefix}${process.pid}-probe`;
  if (spawnSync('ip', ['netns', 'add', probe]).status !== 0) return 'network namespaces cannot be made here';
  const made = spawnSync('ip', ['-n', probe, 'link', 'add', 'probe', 'type', 'bridge']).status;
  spawnSync('ip', ['netns', 'delete', probe]);
  return made === 0 ? false : 'bridges cannot be made here';
}

/**
 * A network of its own, in a namespace, with a bridge that machines hang on and a directory for what they take.
 * Disposing ends all that was started in it. What a test leaves that was killed, the next lab takes away.
 */
export class Lab implements AsyncDisposable {
  readonly namespace = `${prefix}${process.pid}-${++labCount}`;
  readonly directory = mkdtempSync(join(tmpdir(), 'varve-'));
  readonly #children = new Set<ChildProcess>();
  readonly #others = new Set<string>();
  #machineCount = 0;

  constructor() {
    takeAwayDeadLabs();
    ip('netns', 'add', this.namespace);
    process.once('exit', this.#remove);
    ip('-n', this.namespace, 'link', 'set', 'lo', 'up');
    ip('-n', this.namespace, 'link', 'add', interfaceName, 'type', 'bridge');
    ip('-n', this.namespace, 'address', 'add', `${serverAddress}/24`, 'dev', interfaceName);
    ip('-n', this.namespace, 'link', 'set', interfaceName, 'up');
  }

  /** What runs `command` in the network; it ends with this process, however that ends. */
  inside(...command: readonly string[]): string[] {
    return [...insideOf(this.namespace), 'setpriv', '--pdeathsig', 'KILL', '--', ...command];
  }

  /** Starts a program at the server of the network, or by `elsewhere`. */
  start(command: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const [program = '', ...args] = command[0] === 'nsenter' ? command : this.inside(...command);
    const child = spawn(program, args, options);
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** What runs a command at another host of the network, with this address; the host is made when it is first used. */
  elsewhere(address: string, ...command: readonly string[]): string[] {
    const number = address.split('.').at(-1);
    const namespace = `${this.namespace}-${number}`;
    if (!this.#others.has(namespace)) {
      ip('netns', 'add', namespace);
      this.#others.add(namespace);
      const cable = ['link', 'add', `cable${number}`, 'type', 'veth', 'peer', 'name', interfaceName];
      ip('-n', this.namespace, ...cable, 'netns', namespace);
      ip('-n', this.namespace, 'link', 'set', `cable${number}`, 'master', interfaceName, 'up');
      ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', interfaceName);
      ip('-n', namespace, 'link', 'set', interfaceName, 'up');
    }
    return [...insideOf(namespace), ...command];
  }

  /** Switches a new machine on. */
  boot(options: Omit<MachineOptions, 'number'> & { readonly number?: number } = {}): Machine {
    const { number = ++this.#machineCount } = options;
    const tap = `tap${number}`;
    if (!existsTap(this.namespace, tap)) {
      ip('-n', this.namespace, 'tuntap', 'add', tap, 'mode', 'tap');
      ip('-n', this.namespace, 'link', 'set', tap, 'master', interfaceName, 'up');
    }
    return startMachine(
      { ...options, number },
      { tap, directory: this.directory, start: (...all) => this.start(...all) },
    );
  }

  /** Has nothing reach anybody any more that the server sends from a port. */
  block(protocol: 'tcp' | 'udp', port: number): void {
    ip('-n', this.namespace, 'rule', 'add', 'ipproto', protocol, 'sport', String(port), 'blackhole');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#children, endNow));
    process.removeListener('exit', this.#remove);
    this.#remove();
  }

  readonly #remove = (): void => {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const name of [this.namespace, ...this.#others]) spawnSync('ip', ['netns', 'delete', name]);
    rmSync(this.directory, { recursive: true, force: true });
  };
}

/** Ends a program as nobody can hear it coming, and waits until it has. */
export async function endNow(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Of tests that were killed. */
function takeAwayDeadLabs(): void {
  const { stdout } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  for (const [name, pid] of stdout.matchAll(/^varve-lab-(\d+)\S*/gm)) {
    if (!existsSync(`/proc/${pid}`)) spawnSync('ip', ['netns', 'delete', name]);
  }
}

function existsTap(namespace: string, name: string): boolean {
  return spawnSync('ip', ['-n', namespace, 'link', 'show', name]).status === 0;
}

function ip(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}

/**
 * What runs a command in a network namespace. `ip netns exec` would make a mount namespace as well, which holds copies of what
 * other tests have mounted: they could not take that away until this one is over.
 */
function insideOf(namespace: string): string[] {
  return ['nsenter', `--net=/run/netns/${namespace}`, '--'];
}
