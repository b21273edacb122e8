import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runVarve, varveProgram } from '../../test/guest/run-varve.ts';
import { interfaceName, type Lab } from '../../test/netboot/lab.ts';
import { LabProgram } from './lab-program.ts';

/** Has `varve netboot` serve a room in a lab, whose file is `text` behind its beginning, from an image `web` of a disk. */
export async function startRoom(lab: Lab, { disk, text }: { disk?: string; text: string }): Promise<LabProgram> {
  const [store, room] = [join(lab.directory, 'store'), join(lab.directory, 'room.yaml')];
  writeFileSync(room, `interfaces: [${interfaceName}]\ndhcp: server\n${text}`);
  await runVarve(store, 'import', disk ?? emptyDisk(lab), 'web');
  const server = new LabProgram(lab, [varveProgram, 'netboot', '--config', room], { VARVE_STORE: store });
  await server.untilPrinted(new RegExp(`${interfaceName}.*http:`));
  return server;
}

/** There has to be a store, also where nothing is booted. */
function emptyDisk(lab: Lab): string {
  const path = join(lab.directory, 'empty.raw');
  writeFileSync(path, new Uint8Array(65_536));
  return path;
}
