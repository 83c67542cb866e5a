// What is typed over a column of the grid, as a structured filter, and what a cell says of a moment.

const OPERATORS = [
  ["!=", "is_not"], [">=", "from"], ["=", "is"], ["!", "lacks"], ["^", "starts"], ["<", "before"],
];
const HELP = "Part of the text; =whole, !without, ^beginning, >=from, <before, ∅ empty, * present";

// What is typed over a column, as a structured filter.
function parse(column, text) {
  const given = text.trim();
  if (!given) return null;
  if (given === "∅") return { column: column.name, operator: "empty" };
  if (given === "*") return { column: column.name, operator: "present" };
  const found = OPERATORS.find(([mark]) => given.startsWith(mark));
  const plain = column.type === "string" || column.type === "list" ? "contains" : "is";
  return found
    ? { column: column.name, operator: found[1], value: given.slice(found[0].length).trim() }
    : { column: column.name, operator: plain, value: given };
}

// Microseconds since 1970 as text in a zone, the zone shown.
function moment(us, zone) {
  const micros = String(((us % 1e6) + 1e6) % 1e6).padStart(6, "0");
  const seconds = new Date(Math.floor(us / 1e6) * 1000);
  if (zone === "UTC") return `${seconds.toISOString().slice(0, 19).replace("T", " ")}.${micros}Z`;
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat("en-CA", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "longOffset",
    }).formatToParts(seconds).map((part) => [part.type, part.value]),
  );
  const offset = parts.timeZoneName.replace("GMT", "") || "+00:00";
  return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}:${parts.second}.${micros}${offset}`;
}
