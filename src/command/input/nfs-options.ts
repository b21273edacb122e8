import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { VarveError } from '../../base/varve-error.ts';
import type { Store } from '../../store/store.ts';
import type { CommandContext } from '../framework/command-context.ts';
import { type AccessOptions, accessOptions } from './access-options.ts';
import { parseCount } from './count.ts';
import { type IscsiOptions, type Listen, listenAddress, nbdOnly, refuseOptions } from './iscsi-options.ts';
import { type ServingLimits, serverLimits } from './serving-limits.ts';

/** What the options came to that say how the files in disks are served over NFS. */
export interface NfsOptions {
  readonly portMap?: true | number;
}

/** Declares `--port-map`. */
export function addNfsOptions(command: Command): Command {
  return command.option(
    '--port-map [port]',
    'NFS: also say on which port it is served, where clients ask for that; 111 where no port is said',
    parseCount,
  );
}

const defaultPort = 2049;
const clashing = [...nbdOnly, 'chap', 'chapMutual', 'ephemeral', 'blockSize'] as const;

/**
 * Where to listen for NFS; `undefined` where disks are not served so.
 *
 * @throws VarveError `INVALID` for options that do not go together
 */
export function nfsAddress(
  options: NfsOptions &
    Pick<IscsiOptions, 'protocol'> & { readonly listen?: string } & Partial<Record<(typeof clashing)[number], unknown>>,
): Listen | undefined {
  if (options.protocol !== 'nfs') {
    if (options.portMap === undefined) return undefined;
    throw new VarveError('INVALID', '--port-map is for NFS; add --protocol nfs');
  }
  refuseOptions(options, clashing, 'NBD or iSCSI');
  return listenAddress(options.listen, defaultPort);
}

interface Serving extends NfsOptions, AccessOptions, ServingLimits, Listen {
  readonly store: () => Promise<Store>;
  readonly all?: boolean;
}

/** Serves the files in disks over NFS until it is stopped. */
export async function serveNfs(
  context: CommandContext,
  disks: readonly string[],
  options: Serving,
  signal: AbortSignal,
): Promise<undefined> {
  const [{ openNfsDisks }, { listenNfs }, { keptHandleKey }] = await Promise.all([
    import('../../server/nfs/disk-exports.ts'),
    import('../../server/nfs/nfs-server.ts'),
    import('../../server/nfs/handle-key.ts'),
  ]);
  const { all, host, port, portMap, store } = options;
  await using exports = await openNfsDisks(disks, { ...(await accessOptions(options)), store, all });
  const portMapPort = portMap === true ? 111 : portMap;
  const key = await keptHandleKey(keyPath());
  await using server = await listenNfs({ ...serverLimits(options), exports, host, port, portMapPort, key });
  const mounted = exports.names.length === 0 ? ['DISK'] : exports.names;
  const at = `vers=3,nolock,tcp,port=${server.port},mountport=${server.port}`;
  const lines = mounted.map((name) => `${server.host}:/${name}`);
  context.show({ exports: lines, options: at, port: server.port }, () =>
    lines.map((line) => `serving ${line}\n  to mount: mount -t nfs -o ${at} ${line} /mnt`).join('\n'),
  );
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Where a user's programs keep what has to last. Source: XDG Base Directory Specification. */
function keyPath(): string {
  const { XDG_STATE_HOME: state } = process.env;
  return join(state !== undefined && state !== '' ? state : join(homedir(), '.local/state'), 'varve/nfs-handles.key');
}
