import { anything, fieldsOf, nodeAt, oneOf, textBy } from './fields.ts';
import type { Problems } from './problems.ts';
import type { BootMethod, Entry, OverlayPolicy, TemplateKind, TemplateSettings } from './room.ts';
import type { RoomNode } from './room-node.ts';
import {
  parseArguments,
  parseImage,
  parseInnerPath,
  parseLine,
  parsePath,
  parsePlainName,
  parseYesNo,
} from './values.ts';

/** Every boot method, as rooms write it. */
const bootMethods: readonly BootMethod[] = ['nbd', 'iscsi', 'sanboot', 'nfs', 'ram', 'kernel', 'local'];
/** Every overlay policy. */
export const overlayPolicies: readonly OverlayPolicy[] = ['discard', 'keep', 'ask'];
const templateKinds: readonly TemplateKind[] = ['preseed', 'kickstart', 'autoinstall', 'cloud-init', 'ignition'];
/** Those whose machines write to a disk of ours. */
const withOverlay: readonly BootMethod[] = ['nbd', 'iscsi', 'sanboot'];

/** What every menu can show. */
const mostEntries = 100;

/** The entries of a room by their names. Paths are relative to `directory`. */
export function readEntries(
  node: RoomNode | undefined,
  directory: string,
  problems: Problems,
): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  if (node === undefined) problems.addAt(1, 'there are no entries: nothing that a machine could boot');
  else if (node.kind !== 'map') problems.add(node, 'has to have a name for each of them');
  else if (node.fields.size === 0) problems.add(node, 'has nothing that a machine could boot');
  else if (node.fields.size > mostEntries) problems.add(node, `has more than ${mostEntries}`);
  else {
    for (const [name, value] of node.fields) {
      const isName = textBy(parsePlainName)({ ...value, kind: 'text', text: name }, problems) !== undefined;
      const entry = readEntry(name, value, directory, problems);
      if (isName && entry !== undefined) entries.set(name, entry);
    }
  }
  return entries;
}

function readEntry(name: string, node: RoomNode, directory: string, problems: Problems): Entry | undefined {
  const found = fieldsOf(
    node,
    {
      title: textBy(parseLine),
      image: textBy(parseImage),
      files: textBy((text) => parsePath(text, directory)),
      boot: oneOf(bootMethods),
      overlay: oneOf(overlayPolicies),
      kernel: textBy(parseInnerPath),
      initramfs: textBy(parseInnerPath),
      root: textBy(parseArguments),
      arguments: textBy(parseArguments),
      template: anything,
      script: textBy(parseYesNo),
    },
    problems,
  );
  const { template: templateNode, overlay = 'discard', script: hasScript = true, title = name, ...rest } = found;
  const template = templateNode && readTemplate(templateNode, directory, problems);
  if (node.kind !== 'map') return undefined;
  if (!node.fields.has('boot')) problems.add(node, `does not say how to boot; add boot: ${bootMethods.join(', ')}`);
  if (rest.boot === undefined) return undefined;
  checkTogether(node, rest.boot, problems);
  if (!hasScript && overlay === 'ask') problems.add(node, 'cannot ask without a script; choose keep or discard');
  return { ...rest, name, title, overlay, hasScript, boot: rest.boot, arguments: rest.arguments ?? '', template };
}

function readTemplate(node: RoomNode, directory: string, problems: Problems): TemplateSettings | undefined {
  const shape = { kind: oneOf(templateKinds), file: textBy((text) => parsePath(text, directory)) };
  const { kind, file } = fieldsOf(node, shape, problems);
  const isComplete = nodeAt(node, 'kind') !== undefined && nodeAt(node, 'file') !== undefined;
  if (node.kind === 'map' && !isComplete) problems.add(node, 'needs both kind and file');
  return kind === undefined || file === undefined ? undefined : { kind, file };
}

/** Notes keys that a boot method lacks, and those of which it would make nothing. */
function checkTogether(node: RoomNode, boot: BootMethod, problems: Problems): void {
  const has = (key: string): boolean => nodeAt(node, key) !== undefined;
  const refuse = (key: string, why: string): void => {
    if (has(key)) problems.add(nodeAt(node, key)!, `has no use with boot: ${boot}, ${why}`);
  };
  if (boot === 'local') {
    for (const key of ['image', 'kernel', 'initramfs', 'root', 'arguments']) refuse(key, 'the own disk of the machine');
  } else if (boot === 'kernel') {
    if (has('image') === has('files')) problems.add(node, 'needs either image or files, which has the kernel');
    if (has('files') && !has('kernel')) problems.add(node, 'needs kernel, its name in files');
    refuse('root', 'which has no disk; write it into arguments');
  } else if (!has('image')) problems.add(node, `needs an image for boot: ${boot}`);
  if (boot === 'sanboot') {
    for (const key of ['kernel', 'initramfs', 'root', 'arguments']) refuse(key, "as the disk's own boot loader starts");
  }
  if (boot === 'nfs' || boot === 'ram') refuse('root', 'which is not on a disk');
  if (boot !== 'kernel') {
    for (const key of ['files', 'template']) refuse(key, 'but with boot: kernel');
  }
  if (boot !== 'sanboot') refuse('script', 'but with boot: sanboot');
  if (!withOverlay.includes(boot)) refuse('overlay', `but with boot: ${withOverlay.join(', ')}`);
  if (has('initramfs') && !has('kernel')) problems.add(node, 'names an initramfs and no kernel; write both or none');
}
