import { VarveError } from '../../base/varve-error.ts';
import { formatIpv4 } from '../../protocol/dhcp/ipv4.ts';
import type { MachineSettings, Room } from './room/room.ts';
import { settingsOf } from './room/settings-of.ts';
import { httpOf, type ServerPlace } from './server-place.ts';
import { checkTemplates, type TemplateUse } from './templates/check-templates.ts';
import { problemText } from './templates/template-problem.ts';
import type { TemplateValues } from './templates/template-values.ts';

/** For documents, so that no machine has it (RFC 7042). */
const anyMac = '00:00:5e:00:53:01';
const mostProblems = 10;

/** What stands for the names in a template, for one machine. */
export function templateValuesFor(
  settings: MachineSettings,
  place: ServerPlace,
  secrets: Room['secrets'],
  address?: string,
): TemplateValues {
  const { mac, name, uuid, variables } = settings;
  const fixed = settings.address === undefined ? undefined : formatIpv4(settings.address);
  return {
    machine: { name, mac, uuid, address: address ?? fixed },
    server: { address: place.address, url: httpOf(place) },
    variables,
    secrets,
  };
}

/**
 * Renders the templates of a room for each machine that it names, and those that none of these boots for another one.
 *
 * @throws VarveError `INVALID` with a line for each problem
 */
export async function requireGoodTemplates(room: Room, place: ServerPlace): Promise<void> {
  const problems = await checkTemplates(templateUses(room, place));
  if (problems.length === 0) return;
  const lines = problems.slice(0, mostProblems).map(problemText);
  if (problems.length > lines.length) lines.push(`and ${problems.length - lines.length} more`);
  throw new VarveError('INVALID', lines.join('\n'));
}

function* templateUses(room: Room, place: ServerPlace): Generator<TemplateUse> {
  const named = room.machines.map(({ mac }) => mac).filter((mac) => mac !== undefined && !mac.includes('*'));
  const seen = new Set<string>();
  for (const mac of new Set([...named, anyMac])) {
    const settings = settingsOf(room, { mac: mac! });
    const values = templateValuesFor(settings, place, room.secrets);
    for (const { template } of settings.entries) {
      if (template === undefined || (mac === anyMac && seen.has(template.file))) continue;
      seen.add(template.file);
      yield { template, values };
    }
  }
}
