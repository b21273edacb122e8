import type { Inspection } from '../inspection.ts';
import type { InstalledPackage } from '../packages/installed-package.ts';
import { contentUuid, type DocumentOrigin, documentTime } from './document-origin.ts';
import { packageUrl } from './package-url.ts';

const systemId = 'SPDXRef-OperatingSystem';
const unknown = 'NOASSERTION';

/**
 * A bill of materials in JSON: the system, and the packages that it contains. Licences are not judged: what a package says of
 * its own is a comment.
 *
 * Source: SPDX specification 2.3, and its JSON schema.
 */
export function spdxDocument(inspection: Inspection, origin: DocumentOrigin): object {
  const packages = inspection.packages.map((each, index) => packageJson(each, index, inspection));
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: origin.name,
    documentNamespace: `urn:uuid:${contentUuid(JSON.stringify([origin, packages]))}`,
    creationInfo: { created: documentTime(origin), creators: [`Tool: varve-${origin.toolVersion}`] },
    packages: [systemJson(inspection), ...packages],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: systemId },
      ...packages.map(({ SPDXID }) => {
        return { spdxElementId: systemId, relationshipType: 'CONTAINS', relatedSpdxElement: SPDXID };
      }),
    ],
  };
}

const judgements = {
  downloadLocation: unknown,
  filesAnalyzed: false,
  licenseConcluded: unknown,
  licenseDeclared: unknown,
  copyrightText: unknown,
} as const;

function systemJson({ productName, distribution, version }: Inspection): object {
  return {
    SPDXID: systemId,
    name: productName?.value ?? distribution?.value ?? 'unknown operating system',
    ...(version !== undefined && { versionInfo: version.value }),
    ...judgements,
    primaryPackagePurpose: 'OPERATING_SYSTEM',
  };
}

function packageJson(
  each: InstalledPackage,
  index: number,
  inspection: Inspection,
): { readonly SPDXID: string; readonly [field: string]: unknown } {
  const { name, fullVersion, vendor, url, license, summary, description, source, sourcePackage, sourceVersion } = each;
  const built = [sourcePackage, sourceVersion].filter(Boolean).join(' ');
  const record = source.record === undefined ? '' : `, ${source.record}`;
  return {
    // Names hold characters that identifiers may not.
    SPDXID: `SPDXRef-Package-${index + 1}-${name.replace(/[^A-Za-z0-9.-]/g, '-')}`,
    ...{ name, versionInfo: fullVersion },
    ...(vendor !== undefined && vendor !== '' && { supplier: supplierOf(vendor) }),
    ...judgements,
    ...(isAddress(url) && { homepage: url }),
    ...(license !== undefined && { licenseComments: `The package says: ${license}` }),
    sourceInfo: `${built === '' ? '' : `built from ${built}; `}on record in ${source.path}${record}`,
    ...(summary !== undefined && { summary }),
    ...(description !== undefined && { description }),
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: packageUrl(each, inspection),
      },
    ],
  };
}

/** `Person: Jane Doe (jane@example.org)`, or an organization where nothing tells that it is one. */
function supplierOf(vendor: string): string {
  const text = vendor.trim();
  const start = text.lastIndexOf('<');
  if (start < 0 || !text.endsWith('>')) return `Organization: ${text}`;
  return `Organization: ${text.slice(0, start).trim()} (${text.slice(start + 1, -1)})`;
}

function isAddress(url: string | undefined): url is string {
  return url !== undefined && /^(?:https?|ftp):\/\//.test(url) && URL.canParse(url);
}
