import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { transmissionFlags } from '../protocol/nbd/constants.ts';
import type { ControlServer } from '../server/control/control-server.ts';
import type { DiskExports } from '../server/nbd/disk-exports.ts';
import type { ListenAddress, NbdServer, NbdServerOptions } from '../server/nbd/nbd-server.ts';
import { activatedSockets } from '../server/nbd/socket-activation.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './input/access-options.ts';
import { addIscsiOptions, type IscsiOptions, iscsiAddress, serveIscsi } from './input/iscsi-options.ts';
import { addNfsOptions, type NfsOptions, nfsAddress, serveNfs } from './input/nfs-options.ts';
import { addServingLimits, type ServingLimits, serverLimits } from './input/serving-limits.ts';

interface Options extends AccessOptions, ServingLimits, IscsiOptions, NfsOptions {
  readonly socket?: string;
  readonly listen?: string;
  readonly stdio?: boolean;
  readonly readOnly?: boolean;
  readonly ephemeral?: boolean;
  readonly isolate?: boolean;
  readonly all?: boolean;
  readonly run?: string;
  readonly tls?: 'offered' | 'required';
  readonly tlsCertificates?: string;
  readonly tlsVerifyPeer?: boolean;
  readonly tlsPsk?: string;
  readonly format?: string;
}

const defaultListen = '127.0.0.1:10809';

/** `varve serve DISK…` */
export const serveCommand: CommandModule<string[], Options> = {
  examples: [
    ['varve serve web --ephemeral', 'export the newest snapshot of web; what a client writes is gone when it leaves'],
    ['varve serve ./disk.qcow2 --socket ./nbd.sock', 'export a disk file, read and written in place, on a Unix socket'],
    ['varve serve --all --read-only', 'export every image and snapshot, each by its name'],
    [
      'varve serve web --protocol iscsi --listen 0.0.0.0:3260',
      'export web as an iSCSI target, as machines that boot over the network take it',
    ],
    [
      'varve serve web@3 --protocol nfs --listen 0.0.0.0:2049',
      'export the files in web@3, to be mounted from host:/web@3',
    ],
    ['nbdinfo [ varve serve ./disk.qcow2 ]', 'export a disk on the socket that nbdinfo, or systemd, hands over'],
    [
      `varve serve web --ephemeral --run 'qemu-system-x86_64 -drive file="$nbd",format=raw'`,
      'export a disk to one command, and end with it',
    ],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addNfsOptions(addIscsiOptions(addServingLimits(addAccessOptions(command))))
      .argument('[disk...]', 'what to export: web, web@3, ./disk.qcow2, /dev/sdb, nbd://…, https://…')
      .option('--socket <path>', 'listen on a Unix socket, which only you can connect to')
      .option('--listen <[host:]port>', `listen on TCP; ${defaultListen} where nothing is said`)
      .option('--stdio', 'serve one client on standard input and output, and end with it')
      .option('--read-only', 'let nobody write')
      .option('--ephemeral', 'give each client an overlay of its own, which is gone when it leaves')
      .option('--isolate', 'run the driver of each file in a process of its own, that can do nothing else')
      .option('--all', 'export the whole store: web, web@3, web@tag, and blake3:ROOT by content')
      .option('--run <command>', 'run a command with $nbd, $uri, $unixsocket and $exportname set, and end with it')
      .option('--tls-certificates <dir>', 'protect it by TLS with server-cert.pem and server-key.pem of a directory')
      .option('--tls-verify-peer', 'let only clients in that have a certificate of its ca-cert.pem')
      .option('--tls-psk <file>', 'protect it by TLS with keys that both sides know: lines of user:key in hexadecimal')
      .addOption(
        new Option(
          '--tls <mode>',
          'who may come without TLS, where that is set up: nobody, which is the default, or all',
        ).choices(['required', 'offered']),
      )
      .option('--format <name>', 'read disk files as raw or qcow2, whatever their content looks like'),
  async run(context, disks, options) {
    if (disks.length === 0 && !options.all) throw new VarveError('INVALID', 'there is nothing to serve; name a disk');
    const addresses = addressesOf(options);
    const [iscsi, nfs] = [iscsiAddress(options), nfsAddress(options)];
    const signal = await context.startWork();
    await using store = new LazyStore(context);
    if (nfs !== undefined) return await serveNfs(context, disks, { ...options, ...nfs, store: store.open }, signal);
    const { openDiskExports } = await import('../server/nbd/disk-exports.ts');
    const blockSizes = iscsi === undefined ? options.blockSize : undefined;
    const opened = { ...options, ...(await accessOptions(options)), blockSizes, store: store.open };
    await using stack = new AsyncDisposableStack();
    let listening: Promise<ControlServer> | undefined;
    const control = (): Promise<ControlServer> => {
      listening ??= listenControl(stack);
      return listening;
    };
    await using exports = await openDiskExports(disks, { ...opened, control });
    if (iscsi !== undefined) return await serveIscsi(context, exports, { ...options, ...iscsi }, signal);
    if (options.run !== undefined) return await serveCaptive(exports, options, options.run, signal);
    if (options.stdio) return await serveStandardStream(exports, options, signal);
    return await serveUntilStopped(context, exports, options, addresses, signal);
  },
};

async function listenControl(stack: AsyncDisposableStack): Promise<ControlServer> {
  const { ControlServer } = await import('../server/control/control-server.ts');
  return stack.use(await ControlServer.listen());
}

async function serveStandardStream(exports: DiskExports, options: Options, signal: AbortSignal): Promise<undefined> {
  const { listenNbd } = await import('../server/nbd/nbd-server.ts');
  const { standardStream } = await import('../server/nbd/standard-stream.ts');
  await using server = await listenNbd([], { exports, ...serverLimits(options), ...(await tlsOf(options)) });
  const stop = (): void => void server.shutDown();
  signal.addEventListener('abort', stop, { once: true });
  const stream = standardStream();
  await server.serve(stream);
  // Whoever goes on holding the other end keeps nobody waiting.
  stream.destroy();
}

async function serveUntilStopped(
  context: CommandContext,
  exports: DiskExports,
  options: Options,
  addresses: readonly ListenAddress[],
  signal: AbortSignal,
): Promise<undefined> {
  const { listenNbd } = await import('../server/nbd/nbd-server.ts');
  const settings = { exports, ...serverLimits(options), ...(await tlsOf(options)) };
  await using server = await listenNbd(addresses, settings);
  const secure = options.tlsCertificates !== undefined || options.tlsPsk !== undefined;
  const uris = (exports.names.length === 0 ? [''] : exports.names).map((name) =>
    uriOf(server, name, secure ? 'nbds' : 'nbd'),
  );
  // Whoever handed the sockets over knows where they are.
  if (server.address.kind !== 'descriptor') {
    context.show({ exports: uris }, () => uris.map((uri) => `serving ${uri}`).join('\n'));
  }
  if (!options.readOnly) await remarkReadOnly(context, exports);
  await new Promise<void>((resolve_) => signal.addEventListener('abort', () => resolve_(), { once: true }));
  await server.shutDown();
}

/** Whoever means to write learns at once that it will be refused. */
async function remarkReadOnly(context: CommandContext, exports: DiskExports): Promise<void> {
  for (const name of exports.names) {
    const flags = (await exports.find(name))?.offer.flags ?? 0;
    if ((flags & transmissionFlags.READ_ONLY) === 0) continue;
    context.remark(`${name} is served to be read; with --ephemeral each client may write to an overlay of its own`);
  }
}

async function serveCaptive(
  exports: DiskExports,
  options: Options,
  command: string,
  signal: AbortSignal,
): Promise<number> {
  const { listenNbd } = await import('../server/nbd/nbd-server.ts');
  const { runCaptive } = await import('../server/nbd/captive-command.ts');
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  try {
    const path = join(directory, 'nbd.sock');
    await using server = await listenNbd({ kind: 'unix', path }, { exports, ...serverLimits(options) });
    const names = exports.names.length === 0 ? [''] : exports.names;
    const captives = names.map((exportName) => ({ exportName, uri: uriOf(server, exportName) }));
    return await runCaptive({ command, directory, socketPath: path, disks: captives, signal });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** @throws VarveError `INVALID` */
async function tlsOf(options: Options): Promise<Pick<NbdServerOptions, 'tls' | 'startTls'>> {
  const { tls = 'required', tlsCertificates: certificates, tlsPsk: pskFile, tlsVerifyPeer: verifyPeer } = options;
  if (certificates === undefined && pskFile === undefined) {
    if (options.tls === undefined && verifyPeer === undefined) return {};
    throw new VarveError('INVALID', 'TLS needs --tls-certificates or --tls-psk');
  }
  const { serverTls } = await import('../server/nbd/server-tls.ts');
  return { tls, startTls: await serverTls({ certificates, pskFile, verifyPeer }) };
}

/**
 * Where to listen: nowhere for `--stdio`, and on a socket that is made later for `--run`.
 *
 * @throws VarveError `INVALID` for ways that do not go together
 */
function addressesOf(options: Options): ListenAddress[] {
  if (options.protocol === 'iscsi' || options.protocol === 'nfs') return [];
  const { listen, run, socket, stdio } = options;
  const ways = Object.entries({ socket, listen, stdio, run }).filter(([, given]) => given !== undefined);
  const names = ways.map(([name]) => `--${name}`);
  if (names.length > 1)
    throw new VarveError('INVALID', `${names.join(' and ')} do not go together; leave out all but one`);
  const activated = activatedSockets(process.env, process.pid);
  if (activated.length > 0 && names.length > 0) {
    throw new VarveError('INVALID', `a socket to listen on was handed over (LISTEN_FDS); leave out ${names[0]}`);
  }
  if (activated.length > 0) return activated;
  return run === undefined && stdio === undefined ? [addressOf(options)] : [];
}

/** @throws VarveError `INVALID` */
function addressOf({ listen, socket }: Options): ListenAddress {
  if (socket !== undefined) return { kind: 'unix', path: resolve(socket) };
  const [, host = '127.0.0.1', port] = /^(?:(.*):)?(\d{1,5})$/.exec(listen ?? defaultListen) ?? [];
  if (port === undefined || Number(port) > 65535) {
    throw new VarveError('INVALID', `cannot listen on ${listen}: give a port, or host:port`);
  }
  return { kind: 'tcp', host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function uriOf({ address }: NbdServer, name: string, scheme = 'nbd'): string {
  const path = encodeURIComponent(name);
  if (address.kind === 'unix') return `${scheme}+unix:///${path}?socket=${address.path}`;
  if (address.kind !== 'tcp') return `${scheme}:///${path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${scheme}://${host}:${address.port}/${path}`;
}
