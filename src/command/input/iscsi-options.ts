import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { systemError, VarveError } from '../../base/varve-error.ts';
import type { ChapSecrets } from '../../protocol/iscsi/chap.ts';
import type { BlockSizes } from '../../protocol/nbd/option-codec.ts';
import type { DiskExports } from '../../server/nbd/disk-exports.ts';
import type { CommandContext } from '../framework/command-context.ts';
import { type ServingLimits, serverLimits } from './serving-limits.ts';

/** What the options came to that say that, and how, disks are served over iSCSI. */
export interface IscsiOptions {
  readonly protocol?: 'nbd' | 'iscsi' | 'nfs';
  readonly chap?: string;
  readonly chapMutual?: string;
}

/** Declares `--protocol`, `--chap` and `--chap-mutual`. */
export function addIscsiOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--protocol <name>', 'how disks are served: nbd, which is the default').choices([
        'nbd',
        'iscsi',
        'nfs',
      ]),
    )
    .option('--chap <file>', 'iSCSI: let only those in who know a secret of a file, with lines of user:secret')
    .option('--chap-mutual <file>', 'iSCSI: prove who the server is, by the one line user:secret of a file');
}

const defaultPort = 3260;
/** What clashes with iSCSI, and with NFS, in the words of the command line. */
export const nbdOnly = [
  'socket',
  'stdio',
  'run',
  'tls',
  'tlsCertificates',
  'tlsPsk',
  'tlsVerifyPeer',
  'isolate',
] as const;

/** Where to listen. */
export interface Listen {
  readonly host: string;
  readonly port: number;
}

/**
 * Where to listen for initiators; `undefined` where disks are served over NBD.
 *
 * @throws VarveError `INVALID` for options that do not go together
 */
export function iscsiAddress(
  options: IscsiOptions & { readonly listen?: string } & Partial<Record<(typeof nbdOnly)[number], unknown>>,
): Listen | undefined {
  if (options.protocol !== 'iscsi') {
    if (options.chap === undefined && options.chapMutual === undefined) return undefined;
    throw new VarveError('INVALID', 'CHAP is for iSCSI; add --protocol iscsi');
  }
  refuseOptions(options, nbdOnly, 'NBD');
  return listenAddress(options.listen, defaultPort);
}

/** @throws VarveError `INVALID` where one of `names` is given, which are for another protocol */
export function refuseOptions<T extends string>(
  options: Partial<Record<T, unknown>> & Pick<IscsiOptions, 'protocol'>,
  names: readonly T[],
  protocol: string,
): void {
  const clash = names.find((name) => options[name] !== undefined);
  if (clash === undefined) return;
  const option = clash.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new VarveError('INVALID', `--${option} is for ${protocol}; leave it out, or --protocol ${options.protocol}`);
}

/** A host, a port or both; 127.0.0.1 and `defaultPort` where nothing is given. @throws VarveError `INVALID` */
export function listenAddress(listen = '127.0.0.1', defaultPort: number): Listen {
  const [, host = '127.0.0.1', port] =
    /^(?:(.*):)?(\d{1,5})$/.exec(listen) ?? (/^[^:]+$/.test(listen) ? [listen, listen, String(defaultPort)] : []);
  if (port === undefined || Number(port) > 65_535) {
    throw new VarveError('INVALID', `cannot listen on ${listen}: give a port, or host:port`);
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/** Serves disks over iSCSI until it is stopped. */
export async function serveIscsi(
  context: CommandContext,
  exports: DiskExports,
  options: IscsiOptions & ServingLimits & Listen,
  signal: AbortSignal,
): Promise<undefined> {
  const { listenIscsi } = await import('../../server/iscsi/iscsi-server.ts');
  const chap = await chapOf(options);
  const settings = { exports, chap, blockSize: logicalBlock(options.blockSize), ...serverLimits(options) };
  await using server = await listenIscsi(options, settings);
  const { names } = exports;
  const targets = names.map((name) => ({ export: server.uri(name), rootPath: server.rootPath(name) }));
  context.show(
    { exports: targets.map((target) => target.export), rootPaths: targets.map(({ rootPath }) => rootPath) },
    () => targets.map((target) => `serving ${target.export}\n  to boot from: ${target.rootPath}`).join('\n'),
  );
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  await server.shutDown();
}

function logicalBlock(sizes: Partial<BlockSizes> | undefined): number | undefined {
  const minimum = sizes?.minimum;
  if (minimum === undefined || minimum === 512 || minimum === 4096) return minimum;
  throw new VarveError('INVALID', `cannot serve with blocks of ${minimum} bytes: iSCSI disks have 512 or 4096`);
}

async function chapOf({ chap, chapMutual }: IscsiOptions): Promise<ChapSecrets | undefined> {
  if (chap === undefined) {
    if (chapMutual === undefined) return undefined;
    throw new VarveError('INVALID', '--chap-mutual goes with --chap, which says who may come in');
  }
  const initiators = await readSecrets(chap);
  const own = chapMutual === undefined ? [] : [...(await readSecrets(chapMutual))];
  const [first, ...more] = own;
  if (more.length > 0) throw new VarveError('INVALID', `${chapMutual}: there has to be one line, user:secret`);
  if (first === undefined) return { initiators };
  const [name, secret] = first;
  if ([...initiators.values()].includes(secret)) {
    throw new VarveError('INVALID', `${chapMutual}: the secret is one of ${chap}; with that an impostor could answer`);
  }
  return { initiators, target: { name, secret } };
}

/** Lines of `user:secret`; a secret has at least 12 bytes. Source: RFC 7143, section 9.2.1 (96 bits). */
async function readSecrets(path: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw systemError(`read ${path}`, error);
  });
  const secrets = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, user, secret] = /^([^:]{1,255}):(.{12,255})$/.exec(line) ?? [];
    if (user === undefined || secret === undefined) {
      throw new VarveError(
        'INVALID',
        `${path}: line ${index + 1} is not user:secret, with a secret of 12 bytes or more`,
      );
    }
    secrets.set(user, secret);
  }
  if (secrets.size === 0) throw new VarveError('INVALID', `${path}: there is no secret in it`);
  return secrets;
}
