import type { TemplateKind } from '../room/room.ts';

/** What the files of a template are called where they are served; the first is the one that the user names. */
const fileNames: Readonly<Record<TemplateKind, readonly [string, ...string[]]>> = {
  preseed: ['preseed.cfg'],
  kickstart: ['kickstart.cfg'],
  autoinstall: ['user-data', 'meta-data', 'vendor-data', 'network-config'],
  'cloud-init': ['user-data', 'meta-data', 'vendor-data', 'network-config'],
  ignition: ['config.ign'],
};

/** What the file that a user names as a template is called where it is served. */
export function mainFileName(kind: TemplateKind): string {
  return fileNames[kind][0];
}
