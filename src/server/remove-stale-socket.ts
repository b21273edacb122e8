import fs from 'node:fs';
import net from 'node:net';

/** Removes a Unix socket that a process left which was killed; one that somebody listens on, and any other file, stays. */
export async function removeStaleSocket(path: string): Promise<void> {
  if (!fs.lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const code = await new Promise<string | undefined>((resolve) => {
    const socket = net.connect(path);
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
  });
  if (code === 'ECONNREFUSED') fs.rmSync(path, { force: true });
}
