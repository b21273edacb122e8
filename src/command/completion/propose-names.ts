import { referenceOf, type Snapshot } from '../../store/image-table.ts';
import type { Store } from '../../store/store.ts';
import type { CompletionKind } from '../framework/command-module.ts';
import { firstLine } from '../output/message-lines.ts';
import type { Proposal } from './proposal.ts';

/** Images, or where `word` has an `@` and snapshots fit, the numbers and tags of that image's snapshots, newest first. */
export function proposeNames(store: Store, kind: CompletionKind, word: string): Proposal[] {
  const at = word.indexOf('@');
  if (at < 0) return [...store.images.newest().values()].map((newest) => proposal(newest.image, newest));
  const image = word.slice(0, at);
  const isImage = kind === 'image' || kind === 'image or file';
  if (isImage || store.images.find(image) === undefined) return [];
  return store.images.snapshots(image).reverse().flatMap(snapshotProposals);
}

function snapshotProposals(snapshot: Snapshot): Proposal[] {
  const names = [referenceOf(snapshot), ...snapshot.tags.map((tag) => `${snapshot.image}@${tag}`)];
  return names.map((name) => proposal(name, snapshot));
}

function proposal(value: string, snapshot: Snapshot): Proposal {
  return { value, description: firstLine(snapshot.message) };
}
