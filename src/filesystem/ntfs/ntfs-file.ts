import { isEqual } from '../../bytes/is-equal.ts';
import { nameFromUtf16, utf16Units } from '../utf16-name.ts';
import { type Attribute, attributeTypes, type ElsewherePart } from './attribute.ts';
import { decodeAttributeList, type ListedAttribute, longestAttributeList } from './attribute-list.ts';
import { AttributeStream } from './attribute-stream.ts';
import type { FileRecord } from './file-table.ts';
import type { NtfsVolume } from './ntfs-volume.ts';

const noName = new Uint8Array(0);

/** A file: its base record, and the records that it extends to. */
export class NtfsFile {
  readonly number: number;
  readonly isDirectory: boolean;
  readonly #volume: NtfsVolume;
  /** Where all attributes are, and the parts of long ones, by type and name. */
  readonly #listed = new Map<string | number, ListedAttribute[]>();
  readonly #streams = new Map<string | number, Promise<AttributeStream>>();

  private constructor(volume: NtfsVolume, base: FileRecord, listed: readonly ListedAttribute[]) {
    this.number = base.number;
    this.isDirectory = base.header.isDirectory;
    this.#volume = volume;
    for (const each of listed) {
      const key = keyOf(each);
      const others = this.#listed.get(key);
      if (others === undefined) this.#listed.set(key, [each]);
      else others.push(each);
    }
  }

  /** @throws VarveError `CORRUPT` where a record is damaged, not in use, or another one's extension */
  static async open(volume: NtfsVolume, number: number): Promise<NtfsFile> {
    const base = await volume.record(number);
    if (!base.header.isInUse) throw volume.corrupt(`file record ${number} is not in use`);
    if (base.header.base !== 0) throw volume.corrupt(`file record ${number} is an extension of another one`);
    const list = base.attributes.find(({ type }) => type === attributeTypes.attributeList);
    return new NtfsFile(volume, base, list === undefined ? ownAttributes(base) : await readList(volume, number, list));
  }

  /** Names it in errors. */
  get title(): string {
    return `the file of record ${this.number}`;
  }

  /** The names of all attributes of a type, each once, in order. */
  namesOf(type: number): Uint8Array[] {
    return [...this.#listed.values()].flatMap(([first]) => (first!.type === type ? [first!.name] : []));
  }

  /** The contents of all attributes of a type without names that are kept in records. */
  async contentsOf(type: number): Promise<Uint8Array[]> {
    const contents: Uint8Array[] = [];
    for (const each of this.#listed.get(type) ?? []) {
      const { content } = await this.#attribute(each);
      if (content instanceof Uint8Array) contents.push(content);
    }
    return contents;
  }

  /** The content of an attribute, or undefined where the file has none such. `name` in UTF-16. */
  async stream(type: number, name: Uint8Array): Promise<AttributeStream | undefined> {
    const key = keyOf({ type, name });
    const known = this.#streams.get(key);
    if (known !== undefined) return await known;
    const parts = this.#listed.get(key);
    if (parts === undefined) return undefined;
    const opening = this.#open(parts);
    this.#streams.set(key, opening);
    opening.catch(() => this.#streams.delete(key));
    return await opening;
  }

  /** All bytes of an attribute without a name, not to be changed, or undefined where the file has none such. @throws VarveError `CORRUPT` */
  async bytesOf(type: number, limit: number): Promise<Uint8Array | undefined> {
    const first = this.#listed.get(type)?.[0];
    if (first === undefined) return undefined;
    // Nearly all are in the record: no stream is needed to look at them.
    const { content } = await this.#attribute(first);
    if (content instanceof Uint8Array && content.length <= limit) return content;
    const stream = (await this.stream(type, noName))!;
    if (stream.size > limit) throw this.#volume.corrupt(`${stream.title} has ${stream.size} bytes`);
    const bytes = new Uint8Array(stream.size);
    await stream.read(bytes, 0);
    return bytes;
  }

  async #open(parts: readonly ListedAttribute[]): Promise<AttributeStream> {
    const inOrder = [...parts].sort((a, b) => a.firstCluster - b.firstCluster);
    const head = await this.#attribute(inOrder[0]!);
    const title = () => `${attributeTitle(head)} of ${this.title}`;
    return new AttributeStream(this.#volume, title, head, {
      firstClusters: inOrder.map(({ firstCluster }) => firstCluster),
      load: (index) => this.#part(inOrder[index]!),
    });
  }

  async #part(listed: ListedAttribute): Promise<ElsewherePart> {
    const { content } = await this.#attribute(listed);
    if (!(content instanceof Uint8Array) && content.firstCluster === listed.firstCluster) return content;
    throw this.#volume.corrupt(`file record ${listed.record} lacks a part of ${this.title}`);
  }

  async #attribute({ type, name, record, instance }: ListedAttribute): Promise<Attribute> {
    const { header, attributes } = await this.#volume.record(record);
    const found = attributes.find(
      (each) => each.type === type && each.instance === instance && isEqual(each.name, name),
    );
    const isOwn = record === this.number || header.base === this.number;
    if (found !== undefined && isOwn) return found;
    throw this.#volume.corrupt(`file record ${record} lacks attribute ${type.toString(16)} of ${this.title}`);
  }
}

function ownAttributes({ number, attributes }: FileRecord): ListedAttribute[] {
  return attributes.map(({ type, name, instance, content }) => {
    const firstCluster = content instanceof Uint8Array ? 0 : content.firstCluster;
    return { type, name, instance, record: number, firstCluster };
  });
}

async function readList(volume: NtfsVolume, number: number, list: Attribute): Promise<ListedAttribute[]> {
  const title = `the list of attributes of file record ${number}`;
  const { content } = list;
  const source = { firstClusters: [0], load: () => Promise.resolve(content as ElsewherePart) };
  const stream = new AttributeStream(volume, () => title, list, source);
  if (stream.size > longestAttributeList) throw volume.corrupt(`${title} has ${stream.size} bytes`);
  const bytes = new Uint8Array(stream.size);
  await stream.read(bytes, 0);
  const entries = decodeAttributeList(bytes);
  if (typeof entries === 'string') throw volume.corrupt(`${title} ${entries}`);
  return entries;
}

/** What an attribute is called in errors. */
function attributeTitle({ type, name }: Attribute): string {
  const kind = type === attributeTypes.data ? 'the data' : `attribute ${type.toString(16)}`;
  return name.length === 0 ? kind : `${kind} “${new TextDecoder().decode(nameFromUtf16(utf16Units(name)))}”`;
}

function keyOf({ type, name }: Pick<ListedAttribute, 'type' | 'name'>): string | number {
  if (name.length === 0) return type;
  return `${type}:${String.fromCharCode(...name)}`;
}
