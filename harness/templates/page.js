(function () {
  "use strict";
  var each = function (selector, from, act) {
    Array.prototype.forEach.call(from.querySelectorAll(selector), act);
  };

  // Tables that sort: a button in every heading, numbers by value, words by the reader's alphabet.
  each("table.sorts", document, function (table) {
    var body = table.tBodies[0];
    each("thead th", table, function (head, column) {
      if (head.className.indexOf("repeat") !== -1) { return; }
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      var numeric = head.className.indexOf("n") === 0;
      button.addEventListener("click", function () {
        var before = head.getAttribute("aria-sort");
        var first = numeric ? "descending" : "ascending";
        var second = numeric ? "ascending" : "descending";
        var order = before === first ? second : first;
        each("thead th", table, function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", order);
        var sign = order === "ascending" ? 1 : -1;
        var value = function (row) {
          var cell = row.cells[column];
          var text = cell.getAttribute("data-v") || cell.textContent;
          return numeric ? Number(text) : text;
        };
        var rows = Array.prototype.slice.call(body.rows).map(function (row) {
          return { row: row, value: value(row) };
        });
        rows.sort(function (a, b) {
          return sign * (numeric ? a.value - b.value : a.value.localeCompare(b.value, undefined, { numeric: true }));
        });
        rows.forEach(function (entry) { body.appendChild(entry.row); });
      });
    });
  });

  // A field that narrows a table to rows that hold all of its words.
  each("table[data-filter]", document, function (table) {
    var rows = Array.prototype.slice.call(table.tBodies[0].rows);
    var texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
    var tools = document.createElement("div");
    tools.className = "tools";
    var field = document.createElement("input");
    field.type = "search";
    field.placeholder = "Narrow: resnet50 nchw onednn";
    field.setAttribute("aria-label", table.getAttribute("data-filter"));
    var count = document.createElement("span");
    count.setAttribute("role", "status");
    var show = function () {
      var words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      var shown = 0;
      rows.forEach(function (row, at) {
        var fits = words.every(function (word) { return texts[at].indexOf(word) !== -1; });
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      count.textContent = shown + " of " + rows.length + " rows";
    };
    field.addEventListener("input", show);
    tools.appendChild(field);
    tools.appendChild(count);
    var box = table.parentNode;
    box.parentNode.insertBefore(tools, box);
    show();
  });

  // Tooltips at once and in the page's own style, under a finger too.
  var tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.appendChild(tip);
  each("svg.figure title", document, function (title) {
    var owner = title.parentNode;
    if (owner.nodeName.toLowerCase() === "svg") { return; }
    owner.setAttribute("data-tip", title.textContent);
    owner.removeChild(title);
  });
  var place = function (event) {
    var text = event.target.getAttribute ? event.target.getAttribute("data-tip") : null;
    tip.hidden = !text;
    if (!text) { return; }
    tip.textContent = text;
    var box = tip.getBoundingClientRect();
    var left = Math.min(event.clientX + 14, window.innerWidth - box.width - 8);
    var below = event.clientY + 18;
    var top = below + box.height > window.innerHeight ? event.clientY - box.height - 12 : below;
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = Math.max(8, top) + "px";
  };
  document.addEventListener("pointermove", place);
  document.addEventListener("pointerdown", place);
  document.addEventListener("scroll", function () { tip.hidden = true; }, true);

  // Paper has no summaries to click on.
  var opened = [];
  window.addEventListener("beforeprint", function () {
    each("details.card:not([open])", document, function (box) { box.open = true; opened.push(box); });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (box) { box.open = false; });
    opened = [];
  });
})();
