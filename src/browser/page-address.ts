/** The address of the page, or of the worker's script; undefined outside of browsers. */
export function pageAddress(): URL | undefined {
  const { location } = globalThis as { readonly location?: { readonly href: string } };
  return location && new URL(location.href);
}
