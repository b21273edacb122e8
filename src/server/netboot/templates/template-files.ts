import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isVarveError, systemError, VarveError } from '../../../base/varve-error.ts';
import type { TemplateKind, TemplateSettings } from '../room/room.ts';

/** A file that is rendered. */
export interface TemplateFile {
  /** What it is called where it is served. */
  readonly name: string;
  /** Where it stands, for messages. */
  readonly path: string;
  readonly text: string;
}

const cloudFiles = ['user-data', 'meta-data', 'vendor-data', 'network-config'] as const;

/** What the files of a template are called where they are served; the first is the one that the user names. */
const fileNames: Readonly<Record<TemplateKind, readonly [string, ...string[]]>> = {
  preseed: ['preseed.cfg'],
  kickstart: ['kickstart.cfg'],
  autoinstall: cloudFiles,
  'cloud-init': cloudFiles,
  ignition: ['config.ign'],
};

const largestTemplate = 2 ** 20;

/** cloud-init takes a user-data only beside a meta-data. A machine is a new one to it when its instance-id is. */
const usualMetaData = 'instance-id: "{{ machine.mac }}"\nlocal-hostname: "{{ machine.name }}"\n';

/** What the file that a user names as a template is called where it is served. */
export function mainFileName(kind: TemplateKind): string {
  return fileNames[kind][0];
}

/**
 * The files of a template, not yet rendered. Those beside the main one are taken from its directory, where they are
 * there by the name that they are served by.
 *
 * @throws VarveError `INVALID`, naming the file
 */
export function readTemplateFiles({ kind, file }: TemplateSettings): TemplateFile[] {
  const [main, ...others] = fileNames[kind];
  const directory = dirname(file);
  const beside = others.map((name) => {
    const path = join(directory, name);
    const text = basename(file) === name ? undefined : readIfThere(path);
    return { name, path, text: text ?? (name === 'meta-data' ? usualMetaData : undefined) };
  });
  const found = beside.filter((each): each is TemplateFile => each.text !== undefined);
  return [{ name: main, path: file, text: readTemplate(file) }, ...found];
}

function readIfThere(path: string): string | undefined {
  return fs.existsSync(path) ? readTemplate(path) : undefined;
}

function readTemplate(path: string): string {
  try {
    const { size } = fs.statSync(path);
    if (size > largestTemplate)
      throw new VarveError('INVALID', `cannot read the template ${path}: it has more than 1 MiB`);
    return new TextDecoder('utf-8', { fatal: true }).decode(fs.readFileSync(path));
  } catch (error) {
    const cause = systemError(`read the template ${path}`, error);
    if (isVarveError(cause)) throw new VarveError('INVALID', cause.message, { cause });
    throw new VarveError('INVALID', `cannot read the template ${path}: it is no UTF-8 text`);
  }
}
