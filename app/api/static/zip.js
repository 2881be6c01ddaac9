// Reads a ZIP (PKWARE APPNOTE 6.3) with what browsers have: the central directory by hand, deflate by DecompressionStream.

const END = 0x06054b50, END_64 = 0x06064b50, LOCATOR_64 = 0x07064b50, ENTRY = 0x02014b50;
const END_BYTES = 22, END_64_BYTES = 56, LOCATOR_64_BYTES = 20, LONGEST_COMMENT = 65535;
const FULL_16 = 0xffff, FULL_32 = 0xffffffff, EXTRA_64 = 1; // a field that is full stands in the record of ZIP64
const STORED = 0, DEFLATED = 8;
const DAMAGED = "The ZIP is damaged. Choose the DICOM files themselves.";

/**
 * Give the files of a ZIP, at most maxFiles; throws an Error with a sentence for people.
 * A file that cannot be taken is given as {name, size, problem}: it does not keep the others out.
 */
export async function unzip(archive, maxFiles, maxBytes) {
  const { count, size, offset } = await findDirectory(archive);
  const directory = await view(archive, offset, size);
  const entries = [...readDirectory(directory, count)].filter((entry) => entry.bytes > 0 && !isHidden(entry.path));
  if (entries.length > maxFiles) throw new Error(`The ZIP has ${entries.length} files. Choose at most ${maxFiles}: the four views of one study.`);
  return Promise.all(entries.map((entry) => extract(archive, entry, maxBytes)));
}

/** Tell what systems put beside people's files: a Mac adds a second entry, __MACOSX/._name, for each. */
const isHidden = (path) => path.split("/").some((step) => step.startsWith(".") || step === "__MACOSX");

const view = async (archive, start, bytes) => new DataView(await archive.slice(start, start + bytes).arrayBuffer());
const long = (data, at) => Number(data.getBigUint64(at, true));

async function findDirectory(archive) {
  const start = Math.max(0, archive.size - END_BYTES - LONGEST_COMMENT);
  const tail = await view(archive, start, archive.size - start);
  const end = findEnd(tail);
  const found = { count: tail.getUint16(end + 10, true), size: tail.getUint32(end + 12, true), offset: tail.getUint32(end + 16, true) };
  const isFull = found.count === FULL_16 || found.size === FULL_32 || found.offset === FULL_32;
  return isFull ? await findDirectory64(archive, start + end - LOCATOR_64_BYTES) : found;
}

function findEnd(tail) {
  for (let at = tail.byteLength - END_BYTES; at >= 0; at--) if (tail.getUint32(at, true) === END) return at;
  throw new Error("This is not a ZIP, or it was cut off. Choose the DICOM files themselves.");
}

async function findDirectory64(archive, at) {
  const locator = await view(archive, Math.max(0, at), LOCATOR_64_BYTES);
  if (at < 0 || locator.getUint32(0, true) !== LOCATOR_64) throw new Error(DAMAGED);
  const end = await view(archive, long(locator, 8), END_64_BYTES);
  if (end.byteLength < END_64_BYTES || end.getUint32(0, true) !== END_64) throw new Error(DAMAGED);
  return { count: long(end, 32), size: long(end, 40), offset: long(end, 48) };
}

function* readDirectory(directory, count) {
  for (let at = 0, n = 0; n < count; n++) {
    if (at + 46 > directory.byteLength || directory.getUint32(at, true) !== ENTRY) throw new Error(DAMAGED);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => directory.getUint16(at + field, true));
    const path = new TextDecoder().decode(new Uint8Array(directory.buffer, at + 46, nameBytes));
    yield {
      path,
      name: path.split("/").pop(),
      method: directory.getUint16(at + 10, true),
      isEncrypted: Boolean(directory.getUint16(at + 8, true) & 1),
      ...readSizes(directory, at, at + 46 + nameBytes, extraBytes),
    };
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
}

function readSizes(directory, at, extra, extraBytes) {
  const sizes = { bytes: directory.getUint32(at + 24, true), packed: directory.getUint32(at + 20, true), offset: directory.getUint32(at + 42, true) };
  const full = Object.keys(sizes).filter((field) => sizes[field] === FULL_32);
  if (!full.length) return sizes;
  for (let field = extra; field + 4 <= extra + extraBytes; field += 4 + directory.getUint16(field + 2, true)) {
    if (directory.getUint16(field, true) !== EXTRA_64) continue;
    full.forEach((name, n) => { sizes[name] = long(directory, field + 4 + 8 * n); });
    return sizes;
  }
  throw new Error(DAMAGED);
}

async function extract(archive, entry, maxBytes) {
  const refused = (problem) => ({ name: entry.name, size: entry.bytes, problem });
  if (entry.bytes > maxBytes) return refused(`The file is larger than ${maxBytes >> 20} MiB. Choose a single or a compressed frame.`);
  if (entry.isEncrypted) return refused("The file is encrypted. Choose the DICOM file itself.");
  if (entry.method !== STORED && entry.method !== DEFLATED) return refused("The file is packed in a way that browsers cannot read. Choose the DICOM file itself.");
  const local = await view(archive, entry.offset, 30);
  if (local.byteLength < 30) throw new Error(DAMAGED);
  const begin = entry.offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  const packed = archive.slice(begin, begin + entry.packed);
  if (entry.method === STORED) return new File([packed], entry.name);
  try {
    return new File(await inflate(packed, maxBytes), entry.name);
  } catch (error) {
    return refused(error instanceof RangeError ? error.message : "The file is damaged in the ZIP. Choose the DICOM file itself.");
  }
}

/** What an entry says of its size need not be true: stop at the limit. */
async function inflate(packed, maxBytes) {
  const chunks = [];
  let bytes = 0;
  const reader = packed.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    bytes += part.value.byteLength;
    if (bytes > maxBytes) { await reader.cancel(); throw new RangeError("The file is larger than the ZIP says."); }
    chunks.push(part.value);
  }
  return chunks;
}
