/**
 * From switching a machine on to a shell on its console, by each way to boot it, beside the same machines booted by dnsmasq, nginx,
 * nbd-server, tgt and nfs-ganesha: same disk, kernel, initramfs and arguments. `npm run bench netboot-boots`
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { targetName } from '../src/server/iscsi/targets.ts';
import { guestKernel } from '../test/guest/guest-kernel.ts';
import { initramfsFiles } from '../test/netboot/debian-initramfs.ts';
import { Lab, serverAddress, skipWithoutLab } from '../test/netboot/lab.ts';
import { macOf } from '../test/netboot/machine.ts';
import { makeRoomDisk, roomDiskFiles } from '../test/netboot/room-disk.ts';
import { consoleArguments } from '../test/netboot/room-machine.ts';
import { BootPeers } from './runner/boot-peers.ts';
import { contest } from './runner/contest.ts';
import { run } from './runner/program.ts';
import { formatTime } from './runner/report.ts';
import { type Bench, runBenchmark } from './runner/run-benchmark.ts';
import { startRoom } from './runner/start-room.ts';
import { median } from './runner/statistics.ts';
import { type BootTimes, bootParts, timeBoot } from './runner/timed-boot.ts';

const ways = ['nbd', 'iscsi', 'sanboot', 'nfs', 'ram'] as const;
/** A machine that has no shell by then will have none. */
const timeoutMs = 240_000;
type Way = (typeof ways)[number];

/** Who serves the root where it is not us. */
const peerNames: Readonly<Record<Way, string>> = {
  nbd: 'nbd-server',
  iscsi: 'tgt',
  sanboot: 'tgt',
  nfs: 'nfs-ganesha',
  ram: 'nginx',
};

const programs = ['dnsmasq', 'nginx', 'nbd-server', 'tgtd', 'ganesha.nfsd', 'rpcbind', 'rpcinfo', 'curl', 'nbdcopy'];
const needed = { ...initramfsFiles, ...roomDiskFiles, '/usr/lib/ipxe/qemu/pxe-virtio.rom': 'ipxe-qemu' };

await runBenchmark({ title: 'netboot: from the switch to a shell', programs, rounds: 3 }, async (bench) => {
  if (!programs.every(bench.has)) return;
  const skip = skipWithoutLab([...programs, 'busybox', 'mke2fs'], needed);
  const kernel = await guestKernel();
  if (skip !== false || 'reason' in kernel) {
    return bench.report.note(`nothing was measured: ${'reason' in kernel ? kernel.reason : skip}`);
  }
  await using ours = new Lab();
  await using theirs = new Lab();
  const disk = await makeRoomDisk(ours.directory, kernel);
  await using _room = await startRoom(ours, { disk, text: roomText() });
  await using peers = await BootPeers.start(theirs, peerContent(ours, disk));
  await boots(bench, { ours, theirs, peers });
  await reads(bench, { ours, theirs });
  bench.report.note(
    'machines in QEMU without acceleration by the processor, whose firmware is iPXE; disks of peers are plain files',
  );
});

function numberOf(way: Way): number {
  return ways.indexOf(way) + 1;
}

/** Every machine has one way to boot. */
function roomText(): string {
  const words = `, arguments: ${consoleArguments}`;
  const entries = ways.map((way) => `  ${way}: { image: web, boot: ${way}${way === 'sanboot' ? '' : words} }\n`);
  const machines = ways.map((way) => `  - { mac: "${macOf(numberOf(way))}", entry: ${way} }\n`);
  const network = '  - { network: 10.9.0.0/24, range: 10.9.0.100-10.9.0.200 }\n';
  return `networks:\n${network}entries:\n${entries.join('')}machines:\n${machines.join('')}`;
}

function dashed(way: Way): string {
  return macOf(numberOf(way)).replaceAll(':', '-');
}

/** What our server gives its machines, for peers to give theirs. */
function peerContent(ours: Lab, disk: string): Parameters<typeof BootPeers.start>[1] {
  const root = join(ours.directory, 'root');
  const ram = join(ours.directory, 'ram.squashfs');
  fetch(ours, 'ram/web@1.squashfs', ram);
  return {
    ...{ disk, root, nbd: dashed('nbd') },
    files: new Map([
      ['image/web@1/boot/vmlinuz', join(root, 'boot/vmlinuz')],
      ['image/web@1/boot/initrd.img', join(root, 'boot/initrd.img')],
      ['ram/web@1.squashfs', ram],
    ]),
    iscsi: [targetName(dashed('iscsi')), targetName(dashed('sanboot'))],
    boots: ways.map((way) => {
      const script = fetch(ours, `ipxe/${dashed(way)}.ipxe`);
      return { mac: macOf(numberOf(way)), script: asPeersHaveIt(script, root) };
    }),
  };
}

/** tgt has something of its own as the first unit of a target; nfs-ganesha serves a directory by its own name. */
function asPeersHaveIt(script: string, root: string): string {
  return script
    .replace(/^(sanboot iscsi:.*):0:iqn/m, '$1:1:iqn')
    .replace(`nfsroot=${serverAddress}:/web@1,`, `nfsroot=${serverAddress}:${root},`);
}

/** Gets a file of our server, to `path` or as text. */
function fetch(lab: Lab, name: string, path = '-'): string {
  const [program = '', ...args] = lab.inside('curl', '-sf', '-o', path, `http://${serverAddress}/${name}`);
  const { stdout } = run([program, ...args]);
  if (path !== '-' && !existsSync(path)) throw new Error(`there is no ${name}`);
  return stdout;
}

interface Sides {
  readonly ours: Lab;
  readonly theirs: Lab;
}

async function boots(bench: Bench, { ours, peers, theirs }: Sides & { readonly peers: BootPeers }): Promise<void> {
  for (const way of ways) {
    const names = { ours: `${way}, varve`, theirs: `${way}, ${peerNames[way]}` };
    const parts = new Map<string, BootTimes[]>(Object.values(names).map((name) => [name, []]));
    const boot = async (name: string, lab: Lab): Promise<number> => {
      const times = await timeBoot(lab, { number: numberOf(way), memory: way === 'ram' ? 1024 : 512, timeoutMs });
      parts.get(name)!.push(times);
      return bootParts.reduce((sum, part) => sum + times[part], 0);
    };
    const contestants = [
      { name: names.ours, run: () => boot(names.ours, ours) },
      { name: names.theirs, prepare: () => peers.freshDisks(), run: () => boot(names.theirs, theirs) },
    ];
    const result = await contest(contestants, { rounds: bench.rounds, warmUps: 0 });
    for (const name of result.names) {
      const each = bootParts.map((part) => [part, formatTime(median(parts.get(name)!.map((times) => times[part])))]);
      bench.report.add(name, result.summary(name), Object.fromEntries(each));
    }
    bench.report.target(`time, ${way}, ours : peers`, result.ratio(names.ours, names.theirs), '×', { atMost: 1 });
    const ratios = parts
      .get(names.ours)!
      .map((own, round) => afterAddress(own) / afterAddress(parts.get(names.theirs)![round]!));
    bench.report.target('… from the address on', median(ratios), '×', { atMost: 1.1 });
  }
}

/** iPXE waits 16 seconds for a router of IPv6 where nobody tells it that there is none: all else is in what follows. */
function afterAddress(times: BootTimes): number {
  return bootParts.filter((part) => part !== 'address').reduce((sum, part) => sum + times[part], 0);
}

/** All of the disk of a machine that has booted, as it is read over NBD: with what it has written, and from the image. */
async function reads(bench: Bench, { ours, theirs }: Sides): Promise<void> {
  const command = (lab: Lab): string[] =>
    lab.inside('nbdcopy', '--connections=1', `nbd://${serverAddress}/${dashed('nbd')}`, 'null:');
  const names = { ours: 'reading 64 MiB over NBD, varve', theirs: 'reading 64 MiB over NBD, nbd-server' };
  const contestants = [
    { name: names.ours, run: () => run(command(ours)).milliseconds },
    { name: names.theirs, run: () => run(command(theirs)).milliseconds },
  ];
  const result = await contest(contestants, { rounds: bench.rounds });
  for (const name of result.names) bench.report.add(name, result.summary(name));
  bench.report.target('time of reading, ours : nbd-server', result.ratio(names.ours, names.theirs), '×', { atMost: 1 });
}
