import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { settleImage } from '../image/settle-image.ts';
import { parseReference, tagName } from '../store/image-name.ts';
import { type Image, referenceOf, type Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { formatTable } from './output/format-table.ts';
import { localTime } from './output/local-time.ts';
import { firstLine } from './output/message-lines.ts';
import { naturalOrder } from './output/natural-order.ts';

interface Options {
  readonly delete?: boolean;
  readonly move?: boolean;
}

/** `varve tag [IMAGE[@S] [NAME]]` */
export const tagCommand: CommandModule<[string | undefined, string | undefined], Options> = {
  examples: [
    ['varve tag web@3 before-upgrade', 'from now on web@before-upgrade means web@3'],
    ['varve tag --move web stable', 'let web@stable mean the newest snapshot'],
    ['varve tag --delete web@stable', 'take a name away; the snapshot stays'],
    ['varve tag web', 'list the tags of web'],
  ],
  completes: ['snapshot'],
  configure: (command: Command) =>
    command
      .argument('[snapshot]', 'the snapshot to name, or the image whose tags to list; all images otherwise')
      .argument('[name]', 'the tag: a name that is not a number')
      .option('-d, --delete', 'take a tag away: varve tag --delete web@TAG')
      .option('--move', 'give the tag to this snapshot even if another one has it'),
  async run(context, [reference, name], options) {
    if (options.delete && options.move) throw new VarveError('INVALID', 'cannot both move and delete a tag');
    await using store = await context.openStore();
    if (reference !== undefined) await settleImage(store, reference);
    if (options.delete) deleteTag(context, store, reference, name);
    else if (reference !== undefined && name !== undefined) addTag(context, store, reference, name, options);
    else if (options.move) throw new VarveError('INVALID', 'which tag? varve tag --move IMAGE@S NAME');
    else listTags(context, store, reference);
  },
};

function addTag(context: CommandContext, store: Store, reference: string, name: string, options: Options): void {
  store.requireWritable();
  const tag = tagName(name);
  const snapshot = store.edit.tag(reference, tag, { move: options.move ?? false });
  context.show(tagJson({ tag, snapshot }), () => `${snapshot.image}@${tag} is ${referenceOf(snapshot)} now`);
}

function deleteTag(
  context: CommandContext,
  store: Store,
  reference: string | undefined,
  name: string | undefined,
): void {
  store.requireWritable();
  const { image, selector } = parseReference(reference ?? '');
  const tag = name ?? (selector.kind === 'tag' ? selector.tag : undefined);
  if (tag === undefined) throw new VarveError('INVALID', `which tag of ${image}? varve tag --delete ${image}@TAG`);
  store.edit.removeTag(image, tag);
  context.show({ deleted: tag, image }, () => `${image}@${tag} deleted`);
}

function listTags(context: CommandContext, store: Store, image: string | undefined): void {
  const images = image === undefined ? store.images.all().map((each: Image) => each.name) : [image];
  const tags = images.toSorted(naturalOrder).flatMap((each) => tagsOf(store, each));
  context.show(tags.map(tagJson), () =>
    tags.length === 0 ? 'There are no tags; varve tag IMAGE@S NAME makes one.' : tagTable(tags),
  );
}

interface Tag {
  readonly tag: string;
  readonly snapshot: Snapshot;
}

function tagsOf(store: Store, image: string): Tag[] {
  const tags = store.images.snapshots(image).flatMap((snapshot) => snapshot.tags.map((tag) => ({ tag, snapshot })));
  return tags.sort((a, b) => naturalOrder(a.tag, b.tag));
}

function tagJson({ tag, snapshot }: Tag): object {
  return { tag, image: snapshot.image, number: snapshot.number, reference: referenceOf(snapshot) };
}

function tagTable(tags: readonly Tag[]): string {
  const rows = tags.map(({ tag, snapshot }) => [
    `${snapshot.image}@${tag}`,
    referenceOf(snapshot),
    localTime(snapshot.time),
    firstLine(snapshot.message),
  ]);
  return formatTable([{ title: 'TAG' }, { title: 'SNAPSHOT' }, { title: 'TIME' }, { title: 'MESSAGE' }], rows);
}
