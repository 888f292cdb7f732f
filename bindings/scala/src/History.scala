// SPDX-License-Identifier: Apache-2.0
package org.flexor

import java.nio.charset.StandardCharsets
import java.nio.file.{Files, Paths}

/** What a fit went through: columns of numbers by name, one number an epoch. */
final class History private[flexor] (val columns: List[(String, Vector[Double])]) extends Serializable {
  private[flexor] def add(row: Seq[(String, Double)]): History =
    new History(if (columns.isEmpty) row.map { case (k, v) => k -> Vector(v) }.toList else columns.map { case (k, values) => k -> (values :+ row.find(_._1 == k).fold(Double.NaN)(_._2)) })

  def names: List[String] = columns.map(_._1)
  def epochs: Int = columns.headOption.fold(0)(_._2.length)
  /** The column `name`, as `loss` or `valid.accuracy`. */
  def apply(name: String): Vector[Double] = columns.find(_._1 == name).getOrElse(throw new NameException(s"[history] there is no column `$name`; there are ${names.mkString(", ")}"))._2

  /** The numbers as a table. */
  def table: String = {
    val rows = names :: List.tabulate(epochs)(i => columns.map { case (k, v) => if (k == "epoch") v(i).toInt.toString else History.short(v(i)) })
    val widths = names.indices.map(c => rows.map(_(c).length).max)
    rows.map(r => r.zip(widths).map { case (t, w) => " " * (w - t.length) + t }.mkString("  ")).mkString("\n")
  }

  /** The learning curve. */
  def plot: Plot = {
    if (epochs == 0) throw new StateException("[history] there is no epoch yet: fit first")
    new Plot(names.filter(n => n != "epoch" && n != "seconds" && !n.startsWith("valid.")).map(n => columns.filter { case (k, _) => k == n || k == "valid." + n }))
  }
  override def toString: String = if (epochs == 0) "History: no epoch yet" else table
}

private[flexor] object History {
  def short(v: Double): String = if (v.isNaN) "nan" else String.format(java.util.Locale.ROOT, "%.4g", Double.box(v))
}

/** A learning curve: one picture for each measure, with its validation values. Prints as text. */
final class Plot private[flexor] (panels: List[List[(String, Vector[Double])]]) {
  private def range(panel: List[(String, Vector[Double])]): (Double, Double) = {
    val all = panel.flatMap(_._2).filterNot(v => v.isNaN || v.isInfinite)
    if (all.isEmpty) (0.0, 1.0) else { val (a, b) = (all.min, all.max); if (a == b) (a - 0.5, b + 0.5) else (a, b) }
  }
  private def x(i: Int, n: Int, width: Int): Int = if (n < 2) 0 else math.round(i.toDouble / (n - 1) * (width - 1)).toInt

  /** As Unicode text. */
  def text(width: Int = 60, height: Int = 10): String = panels.map { panel =>
    val (low, high) = range(panel)
    val grid = Array.fill(height, width)(' ')
    for (((_, values), mark) <- panel.zip("●○").reverse; (v, i) <- values.zipWithIndex if !v.isNaN && !v.isInfinite)
      grid(math.round((high - v) / (high - low) * (height - 1)).toInt)(x(i, values.length, width)) = mark
    val labels = History.short(high) :: List.fill(height - 2)("") ::: List(History.short(low))
    val margin = labels.map(_.length).max
    val title = panel.zip("●○").map { case ((n, _), mark) => s"$mark $n" }.mkString("   ")
    val lines = labels.zip(grid).map { case (l, row) => " " * (margin - l.length) + l + " │" + row.mkString.reverse.dropWhile(_ == ' ').reverse }
    val last = panel.head._2.length.toString
    ((" " * (margin + 2) + title) :: lines ::: List(" " * margin + " └" + "─" * width, " " * (margin + 2) + "1" + " " * math.max(1, width - 1 - last.length) + last)).mkString("\n")
  }.mkString("\n\n")

  /** As a picture. */
  def svg: String = {
    val (w, h) = (420, 260)
    val body = panels.zipWithIndex.map { case (panel, p) =>
      val (low, high) = range(panel)
      val lines = panel.zip(List("#1f77b4", "#ff7f0e")).zipWithIndex.map { case (((name, values), colour), k) =>
        val points = values.zipWithIndex.collect { case (v, i) if !v.isNaN && !v.isInfinite =>
          "%.1f,%.1f".formatLocal(java.util.Locale.ROOT, p * w + 60 + (if (values.length < 2) 0.0 else i * 340.0 / (values.length - 1)), 20 + (high - v) / (high - low) * 200) }
        s"""<polyline points="${points.mkString(" ")}" fill="none" stroke="$colour" stroke-width="2"/><text x="${p * w + 70 + 130 * k}" y="14" fill="$colour">$name</text>"""
      }
      s"""<path d="M${p * w + 60} 20V220H${p * w + 400}" fill="none" stroke="#888"/><text x="${p * w + 55}" y="26" text-anchor="end">${History.short(high)}</text><text x="${p * w + 55}" y="224" text-anchor="end">${History.short(low)}</text><text x="${p * w + 230}" y="245" text-anchor="middle">epoch</text>""" + lines.mkString
    }
    s"""<svg xmlns="http://www.w3.org/2000/svg" width="${w * panels.length}" height="$h" font-family="sans-serif" font-size="12">${body.mkString}</svg>"""
  }

  /** Writes the picture to a file. */
  def save(path: String): Unit =
    try Files.write(Paths.get(path), svg.getBytes(StandardCharsets.UTF_8))
    catch { case e: java.io.IOException => throw new FileException(s"[plot] the file $path cannot be written: $e", "", "", "", "", path) }

  override def toString: String = text()
}
