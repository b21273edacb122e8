import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import type { Inspection } from '../inspect/inspection.ts';
import { printableJson } from '../log/printable.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addInsideOptions, type InsideOptions, insideDisk, openInside } from './input/inside-options.ts';

interface Options extends InsideOptions {
  readonly packages?: boolean;
  readonly sources?: boolean;
  readonly xml?: boolean;
  readonly spdx?: boolean;
  readonly cyclonedx?: boolean;
}

/** `varve inspect DISK` */
export const inspectCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve inspect web', 'which system is on a disk, its users, services, kernels, packages'],
    ['varve inspect web@3 --packages', 'and the packages one by one'],
    ['varve inspect ./disk.qcow2 --sources', 'and in which file of the disk each stands'],
    ["varve inspect web --json | jq -r '.packages[].name'", 'for a program'],
    ['varve inspect web --xml | xmllint --xpath \'//application[name="gcc"]\' -', 'as virt-inspector writes it'],
    ['varve inspect web --cyclonedx > web.cdx.json', 'a bill of materials, for scanners of vulnerabilities'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addInsideOptions(
      command
        .argument(...insideDisk)
        .option('--packages', 'list the packages, and not only how many there are')
        .option('--sources', 'say in which file of the disk each fact stands')
        .option('--xml', 'print XML with the elements that virt-inspector has')
        .option('--spdx', 'print a bill of materials: SPDX 2.3 in JSON')
        .option('--cyclonedx', 'print a bill of materials: CycloneDX 1.6 in JSON'),
    ),
  async run(context, [disk], options) {
    requireOneForm(context, options);
    const { inspectGuest } = await import('../inspect/inspect-guest.ts');
    await using guest = await openInside(context, disk, options);
    await show(context, disk, await inspectGuest(guest), options);
  },
};

function requireOneForm(context: CommandContext, { xml, spdx, cyclonedx }: Options): void {
  const asked = Object.entries({ json: context.json, xml, spdx, cyclonedx }).filter(([, isAsked]) => isAsked);
  if (asked.length < 2) return;
  const names = asked.map(([name]) => `--${name}`).join(' and ');
  throw new VarveError('INVALID', `${names} each say how to print; give one`);
}

async function show(context: CommandContext, disk: string, inspection: Inspection, options: Options): Promise<void> {
  for (const { message } of inspection.warnings) context.remark(message);
  if (options.xml) {
    const { virtInspectorXml } = await import('../inspect/documents/virt-inspector-xml.ts');
    context.print(virtInspectorXml(inspection));
  } else if (options.spdx || options.cyclonedx) {
    context.print(printableJson(JSON.stringify(await billOfMaterials(disk, inspection, options), null, 2)));
  } else if (context.json) {
    const { inspectionJson } = await import('../inspect/documents/inspection-json.ts');
    context.show(inspectionJson(inspection, options), () => '');
  } else {
    const { inspectionText } = await import('./output/inspection-text.ts');
    context.print(inspectionText(inspection, options));
  }
}

async function billOfMaterials(name: string, inspection: Inspection, { spdx }: Options): Promise<object> {
  const { toolVersion } = await import('./input/tool-version.ts');
  const origin = { name, time: documentTime(), toolVersion: toolVersion() };
  if (spdx) {
    const { spdxDocument } = await import('../inspect/documents/spdx.ts');
    return spdxDocument(inspection, origin);
  }
  const { cycloneDxDocument } = await import('../inspect/documents/cyclonedx.ts');
  return cycloneDxDocument(inspection, origin);
}

/** Now, or what builds that are to come out the same say. Source: reproducible-builds.org, SOURCE_DATE_EPOCH. */
function documentTime(): number {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  return epoch !== undefined && /^\d{1,11}$/.test(epoch) ? Number(epoch) * 1000 : Date.now();
}
