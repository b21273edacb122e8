/** Those of QEMU's tests in which a server on NBD has a part, with the options that QEMU's runner is given for them. */
export interface NbdTests {
  readonly options: readonly string[];
  readonly tests: readonly string[];
}

/** All that support raw disks over NBD, and all that start qemu-nbd themselves. */
export const nbdTests: readonly NbdTests[] = [
  {
    options: ['-raw', '-nbd'],
    tests: [
      ...['001', '002', '003', '004', '005', '008', '009', '010', '011', '021', '032', '033', '077', '083', '104'],
      ...['123', '197', '215', '241', '259'],
    ],
  },
  { options: ['-raw'], tests: ['113', '233', 'block-status-cache'] },
  {
    options: ['-qcow2'],
    tests: ['058', '209', '233', '277', '302', 'nbd-qemu-allocation', 'nbd-reconnect-on-open', 'qemu-img-bitmaps'],
  },
  { options: ['-parallels'], tests: ['parallels-read-bitmap'] },
];

/** A few short ones of all kinds: reads and writes of every size, ends inside a sector, maps, creation over NBD. */
export const nbdSample: readonly NbdTests[] = [
  { options: ['-raw', '-nbd'], tests: ['004', '009', '010', '032', '104', '123', '259'] },
  { options: ['-qcow2'], tests: ['058', '209'] },
];

/** The others, and why they are not run. */
export const leftOutNbdTests: Readonly<Record<string, string>> = {
  'start a virtual machine, which Debian’s QEMU cannot do as they ask':
    '094 119 143 145 147 181 205 223 image-fleecing nbd-multiconn qsd-jobs export-incoming-iothread',
  'need qemu-nbd’s driver for ssh': '162',
};
