import type { TemplateKind } from '../room/room.ts';
import { mainFileName } from './template-files.ts';

/**
 * What a kernel has to be told so that its installer, or the system itself, reads a template. No secret is in it.
 *
 * @param directory the URL of its files, with `/` at its end: `http://10.9.0.1/template/TOKEN/`
 */
export function templateArguments(kind: TemplateKind, directory: string): string {
  const file = directory + mainFileName(kind);
  switch (kind) {
    case 'preseed':
      return `auto=true priority=critical preseed/url=${file}`;
    case 'kickstart':
      return `inst.ks=${file}`;
    case 'autoinstall':
      return `autoinstall ds=nocloud-net;s=${directory}`;
    case 'cloud-init':
      return `ds=nocloud;s=${directory}`;
    case 'ignition':
      return `ignition.config.url=${file} ignition.firstboot ignition.platform.id=metal`;
  }
}
