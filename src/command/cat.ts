import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import type { GuestFile } from '../guest/guest-tree.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { splitInnerPath } from './input/inner-path.ts';
import { addInsideOptions, type InsideOptions, insideAccess } from './input/inside-options.ts';
import { writeBytes } from './output/write-bytes.ts';

const pieceLength = 1 << 20;

/** `varve cat DISK:PATH…` */
export const catCommand: CommandModule<string[], InsideOptions> = {
  examples: [
    ['varve cat web:/etc/os-release', 'a file of a disk, without booting or mounting it'],
    ['varve cat ./disk.qcow2:/var/log/dpkg.log | grep " install "', 'to be searched'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addInsideOptions(command.argument('<disk:path...>', 'files in disks: web:/etc/fstab, ./disk.qcow2:/etc/hostname')),
  async run(context, args, options) {
    const { openDiskGuest } = await import('../guest/open-disk-guest.ts');
    await using store = new LazyStore(context);
    const access = await insideAccess(store, options);
    for (const argument of args) {
      const { disk, inner } = splitInnerPath(argument);
      if (inner === undefined) throw new VarveError('INVALID', `which file of ${disk}? write ${disk}:/etc/fstab`);
      await using guest = await openDiskGuest(disk, access);
      await copyOut(await guest.tree.resolve(inner), argument);
    }
  },
};

async function copyOut({ fileSystem, node, stat }: GuestFile, argument: string): Promise<void> {
  if (stat.kind !== 'file') throw new VarveError('INVALID', `${argument} is a ${stat.kind}, and no file`);
  const piece = new Uint8Array(Math.min(pieceLength, Math.max(1, stat.size)));
  for (let offset = 0; offset < stat.size; ) {
    const length = await fileSystem.read(node, piece, offset);
    if (length === 0) return;
    writeBytes(piece.subarray(0, length));
    offset += length;
  }
}
