/** `npm start [-- DISK]`: shows what varve does with a disk, by doing it, each command with its real output. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { givenDiskSteps } from './tour/given-disk-steps.ts';
import { ownDiskSteps } from './tour/own-disk-steps.ts';
import { hasTool, Tour, TourStopped } from './tour/tour.ts';

const ending = `
That was the tour; its directory and store are removed again. How to go on:

  ./varve import DISK        keep a disk of your own, of any format
  ./varve --help             all commands; ./varve COMMAND --help has examples
  npm start -- disk.qcow2    the same tour with a disk of yours, which is only read
  README.md, docs/           what it is, and how it works
`;

process.exitCode = await guide(process.argv[2]);

async function guide(disk: string | undefined): Promise<number> {
  try {
    await using tour = new Tour();
    for (const step of stepsFor(tour, disk)) await tour.show(step);
  } catch (error) {
    if (!(error instanceof TourStopped)) throw error;
    console.error(`\nThe tour stops here: ${error.message}`);
    return 1;
  }
  console.log(ending);
  return 0;
}

function stepsFor(tour: Tour, disk: string | undefined) {
  console.log(`A tour of varve, in ${tour.directory}, with a store of its own. Both are removed at the end.`);
  if (disk !== undefined) {
    // npm changes into the project; INIT_CWD is where it was called.
    const path = resolve(process.env.INIT_CWD ?? '.', disk);
    if (!existsSync(path)) throw new TourStopped(`there is no file ${path}`);
    return givenDiskSteps(path);
  }
  if (hasTool('mke2fs')) return ownDiskSteps(tour.directory);
  const advice = 'install the Debian package e2fsprogs, or give a disk of yours: npm start -- disk.qcow2';
  throw new TourStopped(`mke2fs, which makes its disk, is not installed; ${advice}`);
}
