import fs from 'node:fs';
import { isVarveError } from '../../src/base/varve-error.ts';
import { randomBelow, seededRandom } from '../../src/filter/seeded-random.ts';
import { ControlServer } from '../../src/server/control/control-server.ts';
import type { NbdExport } from '../../src/server/nbd/nbd-export.ts';
import { Machines } from '../../src/server/netboot/machines/machines.ts';
import { openStore } from '../../src/store/store.ts';
import { type MachineReport, stampedMachines } from './machines-step.ts';
import { stampedDisk } from './transaction-step.ts';

// The process that is killed: machines-worker.ts PATH SEED STAMP. It loads what it needs, says so, waits for a byte on its
// standard input, and boots machines from `web` of the store in PATH, all at once: each fills its disk with one stamp after the
// other, from STAMP on, and is committed or boots anew in between. A line goes out before each step and after it is done.

const [path, seed, firstStamp] = process.argv.slice(2) as [string, string, string];
let stamp = Number(firstStamp);

type Stamped = (typeof stampedMachines)[number];
type Step = MachineReport['step'];

// Synchronous: what was said is with the parent, however soon the end comes.
function say(mac: string, step: Step, said: number): void {
  fs.writeSync(1, `${JSON.stringify({ mac, step, stamp: said, ns: Number(process.hrtime.bigint()) })}\n`);
}

async function connect(machines: Machines, mac: string): Promise<NbdExport & Partial<AsyncDisposable>> {
  return await (await machines.exports.find(mac))!.connect();
}

async function boot(machines: Machines, { mac, overlay }: Stamped): Promise<void> {
  say(mac, 'begin', 0);
  await machines.begin({ mac, overlay, entry: 'web', image: 'web' });
  const disk = await connect(machines, mac);
  const bytes = Buffer.alloc(4);
  await disk.device.read(bytes, 0);
  say(mac, 'begun', bytes.readUInt32LE());
  await disk[Symbol.asyncDispose]?.();
}

async function fill(machines: Machines, mac: string): Promise<number> {
  stamp += 1;
  const own = stamp;
  const disk = await connect(machines, mac);
  say(mac, 'write', own);
  await disk.device.write(stampedDisk(own), 0);
  await disk.device.flush();
  say(mac, 'flushed', own);
  await disk[Symbol.asyncDispose]?.();
  return own;
}

async function run(machines: Machines, machine: Stamped, random: () => number): Promise<void> {
  await boot(machines, machine);
  for (;;) {
    const own = await fill(machines, machine.mac);
    const turn = randomBelow(random, 6);
    if (turn === 0) await boot(machines, machine);
    if (turn !== 1) continue;
    say(machine.mac, 'commit', own);
    await machines.commit({ machine: machine.mac, image: 'web', force: true });
    say(machine.mac, 'committed', own);
  }
}

async function work(random: () => number): Promise<void> {
  // It dies before it could close them.
  const machines = await Machines.open(await openStore(path), await ControlServer.listen());
  await Promise.all(stampedMachines.map((machine) => run(machines, machine, random)));
}

fs.writeSync(1, 'ready\n');
// Without a parent there is nobody to kill it.
if (fs.readSync(0, new Uint8Array(1)) === 0) process.exit();
await work(seededRandom(Number(seed))).catch((error) => {
  // Without power nothing goes on.
  let first = error;
  while (first instanceof SuppressedError) first = first.suppressed;
  if (!isVarveError(first)) throw error;
  fs.writeSync(1, `failed ${first.code}: ${first.message}\n`);
  process.exit();
});
