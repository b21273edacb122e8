import { completeNote } from '../image/snapshot-details.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import { askMachines, withMachines } from './framework/ask-machines.ts';
import { readDetails } from './input/details.ts';
import type { NetbootVerb } from './netboot-verb.ts';
import { snapshotJson } from './output/snapshot-json.ts';

/** `varve netboot commit MACHINE IMAGE` */
export const commitVerb: NetbootVerb = {
  words: ['MACHINE', 'IMAGE'],
  options: ['message', 'file', 'date', 'force'],
  async run(context, [machine = '', image = ''], options) {
    const details = await readDetails(options);
    const { author, time } = completeNote(details, '');
    await context.startWork();
    await using store = await context.openStore();
    const commit = { machine, image, force: options.force === true, message: details.message, author, time };
    const snapshot = await committed(store, commit);
    context.show({ machine, snapshot: snapshot === undefined ? null : snapshotJson(snapshot) }, () =>
      snapshot === undefined ? `${machine} changed nothing` : `${referenceOf(snapshot)} made`,
    );
  },
};

interface Commit {
  readonly machine: string;
  readonly image: string;
  readonly force: boolean;
  readonly message: string | undefined;
  readonly author: string;
  readonly time: number;
}

async function committed(store: Store, commit: Commit): Promise<Snapshot | undefined> {
  const answer = await askMachines(store, 'commit', { ...commit });
  if (answer !== undefined) {
    return typeof answer.reference === 'string' ? store.images.resolve(answer.reference) : undefined;
  }
  const purpose = `commit ${commit.machine}`;
  return (await withMachines(store, purpose, (machines) => machines.commit(commit))).snapshot;
}
