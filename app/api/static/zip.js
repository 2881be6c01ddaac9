// Reads a ZIP (PKWARE APPNOTE 6.3) with what browsers have: the central directory by hand, deflate by DecompressionStream.

const END = 0x06054b50, ENTRY = 0x02014b50, END_BYTES = 22, LONGEST_COMMENT = 65535;
const STORED = 0, DEFLATED = 8;

/** Give the files of a ZIP, at most maxFiles, none above maxBytes; throws an Error with a sentence for people. */
export async function unzip(archive, maxFiles, maxBytes) {
  const start = Math.max(0, archive.size - END_BYTES - LONGEST_COMMENT);
  const tail = new DataView(await archive.slice(start).arrayBuffer());
  const end = findEnd(tail);
  const count = tail.getUint16(end + 10, true), size = tail.getUint32(end + 12, true), offset = tail.getUint32(end + 16, true);
  const directory = new DataView(await archive.slice(offset, offset + size).arrayBuffer());
  const entries = [...readDirectory(directory, count)].filter((entry) => entry.bytes > 0);
  if (entries.length > maxFiles) throw new Error(`The ZIP has ${entries.length} files. Choose at most ${maxFiles}: the four views of one study.`);
  const tooLarge = entries.find((entry) => entry.bytes > maxBytes);
  if (tooLarge) throw new Error(`${tooLarge.name} is larger than ${maxBytes >> 20} MiB.`);
  return Promise.all(entries.map((entry) => extract(archive, entry, maxBytes)));
}

function findEnd(tail) {
  for (let at = tail.byteLength - END_BYTES; at >= 0; at--) if (tail.getUint32(at, true) === END) return at;
  throw new Error("This is no ZIP, or it was cut off. Choose the DICOM files themselves.");
}

function* readDirectory(view, count) {
  for (let at = 0, n = 0; n < count; n++) {
    if (at + 46 > view.byteLength || view.getUint32(at, true) !== ENTRY) throw new Error("The ZIP is damaged. Choose the DICOM files themselves.");
    const [name, extra, comment] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    yield {
      name: new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, name)).split("/").pop(),
      method: view.getUint16(at + 10, true), packed: view.getUint32(at + 20, true), bytes: view.getUint32(at + 24, true), offset: view.getUint32(at + 42, true),
      isEncrypted: Boolean(view.getUint16(at + 8, true) & 1),
    };
    at += 46 + name + extra + comment;
  }
}

async function extract(archive, entry, maxBytes) {
  if (entry.isEncrypted) throw new Error("The ZIP is encrypted. Choose the DICOM files themselves.");
  const local = new DataView(await archive.slice(entry.offset, entry.offset + 30).arrayBuffer());
  const begin = entry.offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  const packed = archive.slice(begin, begin + entry.packed);
  if (entry.method === STORED) return new File([packed], entry.name);
  if (entry.method !== DEFLATED) throw new Error("The ZIP is packed in a way that browsers cannot read. Choose the DICOM files themselves.");
  return new File(await inflate(packed, maxBytes), entry.name);
}

/** What an entry says of its size need not be true: stop where the limit is. */
async function inflate(packed, maxBytes) {
  const chunks = [];
  let bytes = 0;
  const reader = packed.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    bytes += part.value.byteLength;
    if (bytes > maxBytes) { await reader.cancel(); throw new Error("A file of the ZIP is larger than it says."); }
    chunks.push(part.value);
  }
  return chunks;
}
