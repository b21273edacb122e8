import { formatSize } from '../../base/size.ts';
import type { Fact, FactSource } from '../../inspect/fact.ts';
import type { Inspection } from '../../inspect/inspection.ts';
import type { InstalledPackage } from '../../inspect/packages/installed-package.ts';
import { formatFields } from './format-fields.ts';
import { type Column, formatTable } from './format-table.ts';
import { localTime } from './local-time.ts';
import { plural } from './plural.ts';

/** What is shown of an inspection. */
export interface InspectionTextOptions {
  readonly packages?: boolean | undefined;
  readonly sources?: boolean | undefined;
}

const longestCell = 200;

/** A row of a section, and where it stands in the guest. */
interface Row {
  readonly cells: readonly string[];
  readonly source?: FactSource;
}

/** An inspection for people: what there is one of, then tables of what there is several of. */
export function inspectionText(
  inspection: Inspection,
  { packages = false, sources = false }: InspectionTextOptions,
): string {
  const section = (title: string, columns: readonly Column[], rows: readonly Row[]) =>
    rows.length === 0 ? [] : [`${title}\n${tableOf(columns, rows, sources)}`];
  return [
    formatFields(fieldsOf(inspection, sources)),
    ...section('File systems', fileSystemColumns, fileSystemRows(inspection)),
    ...section('Kernels', kernelColumns, kernelRows(inspection)),
    ...section('Boot loaders', bootloaderColumns, bootloaderRows(inspection)),
    ...section('Users who can log in', userColumns, userRows(inspection)),
    ...section('Services enabled', serviceColumns, serviceRows(inspection)),
    ...section('Timers', timerColumns, timerRows(inspection)),
    ...section('Network', networkColumns, networkRows(inspection)),
    ...section('Packages', packageColumns, packages ? inspection.packages.map(packageRow) : []),
  ].join('\n\n');
}

function tableOf(columns: readonly Column[], rows: readonly Row[], sources: boolean): string {
  if (!sources)
    return indented(
      formatTable(
        columns,
        rows.map(({ cells }) => cells.map(shortened)),
      ),
    );
  const withSource = rows.map(({ cells, source }) => [
    ...cells.map(shortened),
    source === undefined ? '' : sourceText(source),
  ]);
  return indented(formatTable([...columns, { title: 'FROM' }], withSource));
}

/** Tables are as wide as their widest cell, and some guests have a command of a megabyte; `--json` has all of it. */
function shortened(cell: string): string {
  return cell.length <= longestCell ? cell : `${cell.slice(0, longestCell).toWellFormed()}…`;
}

function indented(text: string): string {
  return text.replace(/^/gm, '  ');
}

function sourceText({ path, record }: FactSource): string {
  return record === undefined ? path : `${path}, ${record}`;
}

function fieldsOf(inspection: Inspection, sources: boolean): [string, string | undefined][] {
  const text = (fact: Fact<string> | undefined) => {
    if (fact === undefined || !sources) return fact?.value;
    return `${fact.value} (${sourceText(fact.source)})`;
  };
  const { format, manager } = inspection.packageManagement;
  const count = inspection.packages.length;
  const nameservers = inspection.network.nameservers.map(text);
  return [
    ['System', text(inspection.productName) ?? text(inspection.kind) ?? 'none that is known here'],
    ['Distribution', text(inspection.distribution)],
    ['Version', text(inspection.version)],
    ['Codename', text(inspection.codename)],
    ['Variant', text(inspection.variant)],
    ['Architecture', text(inspection.architecture)],
    ['Hostname', text(inspection.hostname)],
    ['Machine id', text(inspection.machineId)],
    ['Time zone', text(inspection.timezone)],
    ['Locale', text(inspection.locale)],
    ['Nameservers', nameservers.length === 0 ? undefined : nameservers.join(', ')],
    ['Package format', text(format)],
    ['Package manager', text(manager)],
    ['Packages', format === undefined && count === 0 ? undefined : countText(inspection.packages)],
  ];
}

function countText(packages: readonly InstalledPackage[]): string {
  const size = packages.reduce((sum, each) => sum + (each.size ?? 0), 0);
  return `${plural(packages.length, 'package')}, ${formatSize(size)}`;
}

const fileSystemColumns: readonly Column[] = [
  { title: 'NAME' },
  { title: 'SIZE', align: 'right' },
  { title: 'TYPE' },
  { title: 'LABEL' },
  { title: 'UUID' },
  { title: 'MOUNTED ON' },
];

function fileSystemRows({ volumes }: Inspection): Row[] {
  return volumes.map(({ directory = '', identity, length, name }) => {
    const { label = '', type = '', uuid = '' } = identity ?? {};
    return { cells: [name, formatSize(length), type, label, uuid, directory] };
  });
}

const kernelColumns: readonly Column[] = [
  { title: 'VERSION' },
  { title: 'FILE' },
  { title: 'INITRD' },
  { title: 'MODULES' },
];

function kernelRows({ kernels }: Inspection): Row[] {
  return kernels.map(({ initrds, modules = '', path, source, version = '' }) => ({
    cells: [version, path, initrds.join(', '), modules],
    source,
  }));
}

const bootloaderColumns: readonly Column[] = [{ title: 'NAME' }, { title: 'FIRMWARE' }, { title: 'SETTINGS' }];

function bootloaderRows({ bootloaders }: Inspection): Row[] {
  return bootloaders.map(({ configuration = '', firmware = '', name, source }) => ({
    cells: [name, firmware, configuration],
    source,
  }));
}

const userColumns: readonly Column[] = [
  { title: 'NAME' },
  { title: 'UID', align: 'right' },
  { title: 'PASSWORD' },
  { title: 'KEYS', align: 'right' },
  { title: 'SHELL' },
  { title: 'HOME' },
  { title: 'EXPIRES' },
];

function userRows({ users }: Inspection): Row[] {
  return users
    .filter(({ canLogIn }) => canLogIn)
    .map(({ expires = '', home, keyCount, name, password, shell, source, uid }) => ({
      cells: [name, String(uid), password, String(keyCount), shell, home, expires],
      source,
    }));
}

const serviceColumns: readonly Column[] = [
  { title: 'NAME' },
  { title: 'BY' },
  { title: 'WITH' },
  { title: 'WHAT IT IS' },
];

function serviceRows({ services }: Inspection): Row[] {
  // Timers have a table of their own.
  return services
    .filter(({ name }) => !name.endsWith('.timer'))
    .map(({ description = '', enabledBy, manager, name, source }) => ({
      cells: [name, manager, enabledBy.join(', '), description],
      source,
    }));
}

const timerColumns: readonly Column[] = [{ title: 'SCHEDULE' }, { title: 'BY' }, { title: 'USER' }, { title: 'NAME' }];

function timerRows({ timers }: Inspection): Row[] {
  return timers.map(({ manager, name, schedule, source, user = '' }) => ({
    cells: [schedule, manager, user, name],
    source,
  }));
}

const networkColumns: readonly Column[] = [
  { title: 'INTERFACE' },
  { title: 'BY' },
  { title: 'ADDRESSES' },
  { title: 'GATEWAY' },
];

function networkRows({ network }: Inspection): Row[] {
  return network.interfaces.map(({ addresses, gateways, manager, name, source, usesDhcp }) => ({
    cells: [name, manager, [...(usesDhcp ? ['DHCP'] : []), ...addresses].join(', '), gateways.join(', ')],
    source,
  }));
}

const packageColumns: readonly Column[] = [
  { title: 'NAME' },
  { title: 'VERSION' },
  { title: 'ARCH' },
  { title: 'SIZE', align: 'right' },
  { title: 'INSTALLED' },
  { title: 'BUILT FROM' },
];

function packageRow(each: InstalledPackage): Row {
  const {
    architecture = '',
    displayName,
    fullVersion,
    installed,
    name,
    size,
    source,
    sourcePackage = '',
    state,
  } = each;
  const time = installed === undefined ? '' : localTime(installed * 1000);
  const shown = state === 'installed' ? (displayName ?? name) : `${name} (${state})`;
  const cells = [shown, fullVersion, architecture, size === undefined ? '' : formatSize(size), time, sourcePackage];
  return { cells, source };
}
