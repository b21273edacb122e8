import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory } from '../project.ts';
import { commonSteps } from './common-steps.ts';
import type { Step } from './tour.ts';

/** The tour of a disk that it makes itself, with a file system to look into. `directory` is where it runs. */
export function ownDiskSteps(directory: string): Step[] {
  makeTree(join(directory, 'tree'));
  return [
    {
      about: 'First a disk: 1 GiB of ext4 with some files. Most of it is a hole and takes no room.',
      commands: ['mke2fs -q -t ext4 -L web -d tree disk.raw 1G', 'ls -lsh disk.raw'],
    },
    ...commonSteps({
      disk: 'disk.raw',
      edit: {
        about: 'Meanwhile the machine changes: somebody writes a file into its disk.',
        commands: [
          'cp --sparse=always disk.raw next.raw',
          "echo 'Maintenance on Sunday' > motd",
          "debugfs -w -R 'write motd etc/motd' next.raw",
        ],
        tool: 'debugfs',
      },
      proof: {
        about: 'And the file system is whole, and has the new file.',
        commands: ['e2fsck -fn new.raw', "debugfs -R 'cat etc/motd' new.raw"],
        tool: 'e2fsck',
      },
    }),
  ];
}

/** What the disk is filled with: a little of everything, text and programs. */
function makeTree(tree: string): void {
  mkdirSync(join(tree, 'etc'), { recursive: true });
  writeFileSync(join(tree, 'etc/hostname'), 'web\n');
  cpSync(join(projectDirectory, 'src'), join(tree, 'srv/src'), { recursive: true });
  for (const name of ['@types', '@typescript', 'typescript', 'commander', 'koffi', 'zod']) {
    cpSync(join(projectDirectory, 'node_modules', name), join(tree, 'usr/lib', name), { recursive: true });
  }
}
