import { createInterface } from 'node:readline';
import { ControlServer } from '../../src/server/control/control-server.ts';
import { listenIscsi } from '../../src/server/iscsi/iscsi-server.ts';
import { listenNbd } from '../../src/server/nbd/nbd-server.ts';
import type { BeginOptions } from '../../src/server/netboot/machines/machine-types.ts';
import { type CommitOptions, Machines } from '../../src/server/netboot/machines/machines.ts';
import { openStore } from '../../src/store/store.ts';

// A server of machines that is killed: serve-machines.ts STORE SOCKET. It serves their disks over NBD on the socket and over
// iSCSI on some port, which it prints, and answers lines with the options of a boot or of a commit by what came of it, and others by who is connected over NBD.

const [storePath, socketPath] = process.argv.slice(2) as [string, string];
const store = await openStore(storePath);
const machines = await Machines.open(store, await ControlServer.listen());
const nbd = await listenNbd({ kind: 'unix', path: socketPath }, { exports: machines.exportsOver('nbd') });
const iscsi = await listenIscsi({ host: '127.0.0.1', port: 0 }, { exports: machines.exportsOver('iscsi') });
process.stdout.write(`${JSON.stringify({ uri: iscsi.uri('NAME') })}\n`);
const answerTo = async (message: { readonly entry?: string; readonly image?: string }): Promise<object> => {
  if (message.entry !== undefined) return await machines.begin(message as BeginOptions);
  return message.image === undefined
    ? { clientCount: nbd.clientCount, isConnected: machines.list().some((each) => each.isConnected) }
    : await machines.commit(message as CommitOptions);
};
for await (const line of createInterface(process.stdin)) {
  const message = JSON.parse(line);
  const answer = await answerTo(message);
  process.stdout.write(
    `${JSON.stringify(answer, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value))}\n`,
  );
}
process.exit();
