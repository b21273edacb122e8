import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { VarveError } from '../../base/varve-error.ts';
import { errnoError, libc } from '../libc.ts';
import { socketPair } from '../socket-pair.ts';
import { fuseSource } from './fuse-source.ts';
import type { FuseMountOptions } from './mount-fuse.ts';

/*
 * Source: fusermount3(1) and libfuse's lib/mount.c: the helper sends the descriptor of /dev/fuse over the socket whose
 * number is in _FUSE_COMMFD. unix(7), SCM_RIGHTS; cmsg(3):
 *
 *   byte 0 size_t cmsg_len   8 int cmsg_level   12 int cmsg_type   16 int fd
 */
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;
const F_SETFL = 4;
const O_NONBLOCK_RDWR = 0o4002n;
const controlLength = 24;

const advice = 'install fuse3, whose fusermount3 lets you, or do it as root';

/** Has `fusermount3` mount a file system for a user who may not. The descriptor of /dev/fuse, as `mountFuse` gives it. */
export async function mountByHelper(options: FuseMountOptions): Promise<number> {
  const { readOnly, target } = options;
  const [ours, theirs] = socketPair(`mount on ${target}`);
  try {
    const names = [`fsname=${fuseSource}`, `subtype=${fuseSource}`, readOnly ? 'ro' : 'rw', ...accessOptions(options)];
    await runHelper(['-o', names.join(','), '--', target], `mount on ${target}`, theirs);
    const fd = receiveDescriptor(ours, target);
    libc().fcntl(fd, F_SETFL, O_NONBLOCK_RDWR);
    return fd;
  } finally {
    closeSync(ours);
  }
}

/** Who may do what, in the words of mount(8). */
export function accessOptions({ allowOther, checksAccess }: FuseMountOptions): string[] {
  return [...(allowOther ? ['allow_other'] : []), ...(checksAccess ? ['default_permissions'] : [])];
}

/** Has `fusermount3` unmount a file system of this user; `detach` as `unmountFileSystem` has it. */
export async function unmountByHelper(target: string, { detach = false } = {}): Promise<void> {
  await runHelper(['-u', ...(detach ? ['-z'] : []), '--', target], `unmount ${target}`);
}

/** Runs the helper with a socket, which is closed here. @throws VarveError `PERMISSION`, `BUSY` with what it says */
async function runHelper(args: readonly string[], doing: string, socket?: number): Promise<void> {
  const environment = { ...process.env, ...(socket === undefined ? {} : { _FUSE_COMMFD: '3' }) };
  const stdio = ['ignore', 'ignore', 'pipe', ...(socket === undefined ? [] : [socket])] as const;
  const helper = spawn('fusermount3', args, { env: environment, stdio: [...stdio] });
  if (socket !== undefined) closeSync(socket);
  const ended = new Promise<number | null>((resolve, reject) => helper.once('error', reject).once('close', resolve));
  let said: string;
  let status: number | null;
  try {
    [said, status] = await Promise.all([helper.stderr === null ? '' : text(helper.stderr), ended]);
  } catch (cause) {
    throw new VarveError('PERMISSION', `cannot ${doing}: only root may, and there is no fusermount3; ${advice}`, {
      cause,
    });
  }
  if (status === 0) return;
  const reason =
    said
      .trim()
      .replace(/^fusermount3: /, '')
      .split('\n')[0] || `fusermount3 ended with ${status}`;
  throw new VarveError(/busy/i.test(reason) ? 'BUSY' : 'PERMISSION', `cannot ${doing}: ${reason}`);
}

function receiveDescriptor(socket: number, target: string): number {
  const control = new Uint8Array(controlLength);
  const message = {
    ...{ msg_name: null, msg_namelen: 0, msg_iovlen: 1, msg_flags: 0 },
    msg_iov: [{ iov_base: new Uint8Array(1), iov_len: 1 }],
    ...{ msg_control: control, msg_controllen: controlLength },
  } as const;
  const { errno, recvmsg } = libc();
  if (recvmsg(socket, message, MSG_CMSG_CLOEXEC) === -1) throw errnoError(`mount on ${target}`, 'recvmsg', errno());
  const view = new DataView(control.buffer);
  if (view.getInt32(8, true) === SOL_SOCKET && view.getInt32(12, true) === SCM_RIGHTS) return view.getInt32(16, true);
  throw new VarveError('IO', `cannot mount on ${target}: fusermount3 handed over no descriptor`);
}
