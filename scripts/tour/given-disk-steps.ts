import { commonSteps } from './common-steps.ts';
import type { Step } from './tour.ts';

/** The tour of the disk at `path`, of which nothing is known. It is only read; changes are made to copies. */
export function givenDiskSteps(path: string): Step[] {
  const disk = `'${path.replaceAll("'", "'\\''")}'`;
  return commonSteps({
    disk,
    edit: {
      about: 'Meanwhile the machine changes: some blocks of a copy of the disk are overwritten.',
      commands: [
        'varve export web next.raw',
        'dd if=/dev/urandom of=next.raw bs=4k count=16 seek=100 conv=notrunc status=none',
      ],
    },
  });
}
