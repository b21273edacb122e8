import { consoleArguments } from './room-machine.ts';

/** A room in which every machine boots the image by `boot`; `more` is the rest of its file. */
export function roomOf(boot: string, more = ''): string {
  const words = boot === 'sanboot' ? '' : `, arguments: ${consoleArguments}`;
  return `entries:
  web: { image: web, boot: ${boot}${words} }
machines:
  - { mac: "52:54:00:*", entry: web }
${more}`;
}
