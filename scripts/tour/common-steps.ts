import type { Step } from './tour.ts';

/** What the tours differ in. */
interface Story {
  /** The disk file, as a shell reads it. */
  readonly disk: string;
  /** How next.raw comes about, the disk as it is later. */
  readonly edit: Step;
}

/** The tour proper: from the import of a disk to the export of what it has become. */
export function commonSteps({ disk, edit }: Story): Step[] {
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
      commands: ["varve import next.raw web --update -m 'With a message of the day'", 'varve log web'],
    },
    {
      about: 'What changed, and where? Only what differs is looked at.',
      commands: ['varve diff web@1 web@2'],
    },
    {
      about: 'Compare any two disks, in the store or not. Status 1 says that they differ.',
      commands: ['varve compare web@2 next.raw'],
    },
    { about: 'Here they differ.', commands: ['varve compare test web'], status: 1 },
    {
      about: 'Record a state with a message, and give it a name to find it by.',
      commands: [
        "varve snapshot web -m 'Before the upgrade' --tag before-upgrade",
        'varve tag web@2 sunday',
        'varve tag web',
      ],
    },
    {
      about: 'Go back to any snapshot. History only grows: those in between stay.',
      commands: ['varve restore web@1', `varve compare web ${disk}`, 'varve log web --oneline'],
    },
    {
      about: 'Put a message right, and look closer.',
      commands: ["varve describe web@4 -m 'Back to how it was delivered'", 'varve info web@sunday', 'varve status'],
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
    {
      about: 'Tidy up: any snapshot may go, in any order, and harms no other.',
      commands: [
        'varve rename test scratch',
        'varve remove scratch web@1',
        'varve prune web --keep-last 1 --dry-run',
        'varve gc',
      ],
    },
    {
      about: 'And is all that is left intact? Every byte is read and checked by its hash.',
      commands: ['varve verify'],
    },
  ];
}
