"use strict";
// Shows the page's examples and filters them. The state stands in the address (#task=…&show=…&slice=…&q=…), so that a link
// can name it. Texts become text nodes, never markup.
(() => {
  const place = document.getElementById("browse");
  if (!place) return;
  const entries = JSON.parse(document.getElementById("entries").textContent);
  const STEP = 20;
  const list = document.getElementById("list"), count = document.getElementById("count"), more = document.getElementById("more");
  const controls = { task: entry => [entry.task], show: entry => entry.tags, slice: entry => entry.slices };
  const fields = [...Object.keys(controls), "q"];
  let shown = STEP;

  const make = (name, className, ...inner) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...inner);
    return made;
  };

  const options = (name, values) => {
    const found = new Map();
    for (const entry of entries) for (const value of new Set(values(entry))) found.set(value, (found.get(value) || 0) + 1);
    const control = document.getElementById(name);
    for (const [value, rows] of [...found].sort((a, b) => a[0] < b[0] ? -1 : 1)) {
      const option = make("option", "", `${value} (${rows})`);
      option.value = value;
      control.append(option);
    }
    control.parentElement.hidden = found.size < 2;
  };

  const quoted = (who, text, mark) =>
    make("div", "quoted", make("span", "who", who, " ", make("span", "soft", mark || "")), make("pre", "", text));

  const article = entry => {
    const values = entry.values.slice(0, 4).map(([name, found]) => `${name} ${found.map(value => value.toFixed(3)).join(" → ")}`);
    const head = make("div", "soft small", [entry.id, ...values].join(" · "), " ");
    const plain = tag => entry.tags.some(other => other.startsWith(`${tag}: `)); // said again with its reason
    for (const tag of entry.tags.filter(tag => !plain(tag))) head.append(make("span", `badge${/unreadable|worse/.test(tag) ? " worse" : ""}`, tag), " ");
    const side = make("div", "side", quoted("Gold", entry.gold), ...entry.predicted.map(answer => quoted(...answer)));
    return make("article", "", head, quoted("Prompt", entry.prompt), side);
  };

  const text = entry => [entry.id, entry.prompt, entry.gold, ...entry.predicted.map(answer => answer[1])].join("\n").toLowerCase();
  const texts = entries.map(text);

  const draw = () => {
    const words = document.getElementById("q").value.toLowerCase();
    const chosen = entries.filter((entry, at) => (!words || texts[at].includes(words)) &&
      Object.entries(controls).every(([name, values]) => {
        const wanted = document.getElementById(name).value;
        return !wanted || values(entry).includes(wanted);
      }));
    list.replaceChildren(...chosen.slice(0, shown).map(article));
    count.textContent = `${chosen.length} of ${entries.length} embedded examples fit`;
    more.hidden = chosen.length <= shown;
  };

  const read = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    if (!fields.some(name => state.has(name))) return; // a link to another part of the page
    for (const name of fields) document.getElementById(name).value = state.get(name) || "";
    shown = STEP;
    draw();
    place.scrollIntoView();
  };

  const write = () => {
    const state = new URLSearchParams(fields.map(name => [name, document.getElementById(name).value]).filter(pair => pair[1]));
    history.replaceState(null, "", `#${state}`);
    shown = STEP;
    draw();
  };

  for (const [name, values] of Object.entries(controls)) options(name, values);
  for (const name of fields) document.getElementById(name).addEventListener("input", write);
  more.addEventListener("click", () => { shown += STEP; draw(); });
  addEventListener("hashchange", read);
  draw();
  read();
})();
