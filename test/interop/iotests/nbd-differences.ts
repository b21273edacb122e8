/** A way in which the output of a test differs from what QEMU's servers bring about, and which is meant. */
interface NbdDifference {
  /** In every test where none is given. */
  readonly test?: string;
  /** A line that is there too much, or too little: `+…` or `-…`. */
  readonly line: RegExp;
  readonly reason: string;
}

const nbdDifferences: readonly NbdDifference[] = [
  {
    line: /^[-+] export: '(t\.\w+)?'$/,
    reason: 'a disk is listed by the name of its file; it is found by the empty name, too',
  },
  { line: /^\+ {2}description: /, reason: 'an export tells what it is' },
  {
    test: '241',
    line: /^[-+] {2}(size: {2}10(00|24)|min block: (1|512))$/,
    reason: 'a raw file has its own size and takes requests of any; qemu-nbd rounds it up to whole sectors',
  },
  {
    test: '241',
    line: /^[-+]\[?\{ "start": (0|1000), "length": (24|1000|1024), /,
    reason: 'what lies between the end of the file and that of its last sector is not in the export',
  },
  { test: '241', line: /^-(WARNING: Image| {9}(Auto|Spec))/, reason: 'guessing a format is no reason to warn' },
  {
    test: 'nbd-qemu-allocation',
    line: /^[-+] {2}flags: 0x(48f|587) /,
    reason: 'what is only read has nothing to force to the disk, and may be read over many connections',
  },
  {
    test: 'nbd-qemu-allocation',
    line: /^[-+] {2}opt block: (4096|65536)$/,
    reason: 'requests are best as long as the clusters of the image',
  },
  {
    test: 'qemu-img-bitmaps',
    line: /^-\[?\{ "start"|^\+qemu-img: .*dirty-bitmap:b3': Could not open image/,
    reason: 'bitmaps of an image are exported, not those of the image that it builds on',
  },
  { test: 'parallels-read-bitmap', line: /./, reason: 'bitmaps of Parallels disks are not read' },
  {
    test: 'nbd-reconnect-on-open',
    line: /^[-+]qemu_io finished in /,
    reason: 'on a busy machine, programs take longer',
  },
  {
    test: '233',
    line: /^[-+]server reported: /,
    reason: 'a server has words of its own for why it refuses',
  },
  {
    test: '233',
    line: /^-qemu-img: .*Software caused connection abort$|^\+(image|file format|virtual size|disk size): /,
    reason: 'any client is let in that has a certificate of the right authority: there is no --tls-authz',
  },
  {
    test: '233',
    line: /TLS handshake failed: (The TLS connection was non-properly|A TLS fatal alert)/,
    reason: 'a client with the wrong key is told so, not only left',
  },
  {
    test: '233',
    line: /^-qemu-nbd: option negotiation failed: /,
    reason: 'the server tells of clients that it refused where it is asked to, with --verbose',
  },
];

/** Why a line differs; undefined where it should not. */
export function knownNbdDifference(test: string, line: string): string | undefined {
  return nbdDifferences.find((known) => (known.test ?? test) === test && known.line.test(line))?.reason;
}

/** The lines of a test's output that are there too much or too little, as the runner's log shows them. */
export function differingLines(log: string, test: string): string[] {
  const lines = log.split('\n');
  const start = lines.findIndex((line) => line.startsWith('+++ ') && line.includes(`/${test}.out.bad`));
  if (start === -1) return [];
  const after = lines.slice(start + 1);
  const end = after.findIndex((line) => !/^([-+ @]|$)/.test(line) || /^--- .*\.out$/.test(line));
  return after.slice(0, end === -1 ? undefined : end).filter((line) => /^[-+]/.test(line));
}
