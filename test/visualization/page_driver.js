// SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
// SPDX-License-Identifier: Apache-2.0
"use strict";
// Runs the script of a report page under Node on a document that only records what is drawn, uses the page as
// a reader would, and prints what it then shows as JSON. Usage: node page_driver.js report.html

const fs = require("fs");
const vm = require("vm");

class Element {
  constructor(tag) {
    Object.assign(this, { tag, attributes: {}, children: [], listeners: {}, style: {}, dataset: {}, text: "" });
  }
  setAttribute(name, value) { this.attributes[name] = String(value); }
  addEventListener(name, listener) { (this.listeners[name] ??= []).push(listener); }
  append(...children) { this.children.push(...children); }
  replaceChildren(...children) { this.children = children; }
  set textContent(text) { this.text = String(text); }
  get textContent() { return this.text + this.children.map((c) => c.textContent ?? String(c)).join(""); }
  getBoundingClientRect() { return { left: 0, top: 0, width: 600, height: 400 }; }
  getContext() { return pen; }
  setPointerCapture() {}
  showModal() { this.open = true; }
  close() { this.open = false; }
  send(name, event = {}) {
    for (const listener of this.listeners[name] ?? []) listener({ preventDefault() {}, ...event });
  }
  all(tag) { // in the order of the document
    const below = this.children.filter((c) => c instanceof Element).flatMap((c) => c.all(tag));
    return this.tag === tag ? [this, ...below] : below;
  }
}

const drawn = []; // points of the canvas, a list for every stroke of the newest picture
const pen = {
  scale() {}, stroke() {}, beginPath() { drawn.push([]); },
  moveTo(x, y) { drawn.at(-1).push([x, y]); },
  lineTo(x, y) { drawn.at(-1).push([x, y]); },
};

const html = fs.readFileSync(process.argv[2], "utf8");
const [, json, script] = html.match(/<script id="data"[^>]*>([^]*?)<\/script>\s*<script>([^]*?)<\/script>/);
const page = new Element("main"), data = new Element("script"), root = new Element("html");
data.text = json;
const waiting = [];
const context = {
  document: {
    documentElement: root,
    getElementById: (id) => ({ page, data })[id],
    createElement: (tag) => new Element(tag),
    createElementNS: (_, tag) => new Element(tag),
    querySelectorAll: () => page.all("path"),
  },
  window: { devicePixelRatio: 1, scrollY: 0, scrollTo() {} },
  getComputedStyle: () => ({ getPropertyValue: (name) => name }),
  matchMedia: () => ({ matches: false }),
  requestAnimationFrame: (draw) => waiting.push(draw),
  ResizeObserver: class { constructor(changed) { this.changed = changed; } observe() { this.changed(); } },
};
vm.runInNewContext(script, context);

/** The canvas drawn anew: what the page asked for since. */
function picture() {
  drawn.length = 0;
  while (waiting.length) waiting.shift()();
  return drawn.map((line) => [...line]);
}

const reading = () => page.children.at(-1);
const button = (text) => page.all("button").find((b) => b.textContent === text);
const paths = () => page.all("path").map((p) => p.attributes);

const shown = { title: page.all("h1")[0].textContent, paths: paths() };
shown.headings = page.all("h2").map((h) => h.textContent);
shown.rows = page.all("tr").map((r) => r.children.map((c) => c.textContent));
shown.idle = reading().style.visibility;
const chart = page.all("svg").find((s) => s.attributes["aria-label"] === "State");
chart.send("pointermove", { clientX: 599, clientY: 5 });
shown.reading = reading().textContent;
shown.canvas = picture();
page.all("canvas")[0].send("keydown", { key: "ArrowLeft" });
shown.turned = picture();
const shot = page.all("button").find((b) => b.attributes.class === "shot");
shot.send("pointerenter");
shot.send("click");
shown.shot = { reading: reading().textContent, open: page.all("dialog")[0].open };
button("Light · Dark").send("click");
shown.theme = root.dataset.theme;
const picks = () => page.all("div").find((d) => d.attributes.class === "picks")?.children.slice(1) ?? [];
shown.details = picks().map((_, i) => {
  picks()[i].send("click"); // builds the page anew
  return paths().map((p) => p.d);
});
console.log(JSON.stringify(shown));
