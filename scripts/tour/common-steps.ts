import type { Step } from './tour.ts';

/** What the tours differ in. */
interface Story {
  /** The disk file, as a shell reads it. */
  readonly disk: string;
  /** How next.raw comes about, the disk as it is later. */
  readonly edit: Step;
  /** What else can be said of new.raw, which is exported from what next.raw was imported to. */
  readonly proof?: Step;
}

/** The tour proper: from the import of a disk to the export of what it has become. */
export function commonSteps({ disk, edit, proof }: Story): Step[] {
  return [
    {
      about: 'Import it: the store keeps its content in chunks, each once, compressed, named by its hash.',
      commands: [`varve import ${disk} web -m 'As it was delivered'`, 'varve list'],
    },
    {
      about: 'A clone is a new name for the same content: made at once, whatever the size.',
      commands: ['varve clone web test', 'varve list'],
    },
    edit,
    {
      about: 'Import the disk as it is now. Only what changed is added to the store.',
      commands: ["varve import next.raw web --update -m 'One day later'", 'varve log web'],
    },
    {
      about: 'Which files changed, and where the disk did? Only what differs is looked at.',
      commands: ['varve diff web@1 web@2', 'varve diff --ranges web@1 web@2'],
    },
    {
      about: 'Compare any two disks, in the store or not. Status 1 says that they differ.',
      commands: ['varve compare web@2 next.raw'],
    },
    { about: 'Here they differ.', commands: ['varve compare test web'], status: 1 },
    {
      about: 'Content that the store has already takes no room, wherever it comes from.',
      commands: [`varve import ${disk} copy`],
    },
    {
      about: 'Record a state with a message; give a snapshot a name to find it by.',
      commands: ["varve snapshot web -m 'Before the upgrade'", 'varve tag web@2 sunday', 'varve tag web'],
    },
    {
      about: 'Go back to any snapshot. History only grows: those in between stay.',
      commands: ['varve restore web@1', `varve compare web ${disk}`, 'varve log web --oneline'],
    },
    {
      about: 'Put a message right, and look closer.',
      commands: ["varve describe web@4 -m 'Back to how it was delivered'", 'varve info web@sunday'],
    },
    {
      about: 'Get disks out again, as raw (with its holes) and as qcow2.',
      commands: ['varve export web@sunday new.raw', 'varve export web old.qcow2', 'ls -lsh new.raw old.qcow2'],
    },
    {
      about: 'QEMU finds in them what went in.',
      commands: ['qemu-img compare next.raw new.raw', `qemu-img compare ${disk} old.qcow2`],
      tool: 'qemu-img',
    },
    ...(proof ? [proof] : []),
    {
      about: 'Names are cheap, too.',
      commands: ['varve rename test scratch', 'varve list'],
    },
    {
      about: 'Any snapshot may go, in any order, and harms no other; here the first one goes.',
      commands: ['varve remove scratch copy web@1', 'varve log web --oneline'],
    },
    {
      about: 'Old snapshots go by a rule. Tagged ones stay, and this only tells what would be done.',
      commands: ['varve prune web --keep-last 1 --keep-weekly 4 --dry-run'],
    },
    {
      about: 'What nothing needs any more gives its room back: here 8 MiB of noise, imported and removed.',
      commands: [
        'head -c 8M /dev/urandom > noise.raw',
        'varve import noise.raw noise',
        'varve status',
        'varve remove noise',
        'varve gc',
      ],
    },
    { about: 'Is all that is left intact? Every byte is read and checked by its hash.', commands: ['varve verify'] },
  ];
}
